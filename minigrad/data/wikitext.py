"""WikiText-2 (Merity, Xiong, Bradbury, Socher 2016): good articles of the English Wikipedia, cut into words."""

from __future__ import annotations

import re
from typing import ClassVar, NamedTuple

from minigrad.data.cache import DataFile, fetch
from minigrad.data.reading import check_choice, read_text

__all__ = ["Article", "WikiText2"]

END_OF_LINE = "<eos>"
TITLE = re.compile(r" = (?!= )(.+) = ")
SECTION = re.compile(r" (= ){2,}.+( =){2,} ")


class Article(NamedTuple):
    """A title, and the paragraphs below it, without the headings of sections."""

    title: str
    paragraphs: list[str]


class WikiText2:
    """Splits "train" (2,088,628 words, 600 articles), "valid" (217,646, 60) and "test" (245,569, 60).

    `text` is the file as it is: a paragraph or a heading a line, a blank between tokens, rare words as `<unk>`,
    `@-@`, `@,@` and `@.@` for signs inside a word or number. The count of words has one `<eos>` for each line.

    The file is looked for in the data cache and downloaded where missing (train 10.8 MB, the others 1.2 MB). Raises
    ValueError for an unknown split; for files, errors as `minigrad.data.fetch`.
    """

    address: ClassVar[str] = (
        "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/"
    )
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train": ("9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f", 10_797_148),
        "valid": ("f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8", 1_121_681),
        "test": ("d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0", 1_256_449),
    }

    def __init__(self, split: str = "train") -> None:
        check_choice("WikiText2", "split", split, tuple(self.files))
        sha256, size = self.files[split]
        self.split = split
        self.text = read_text(fetch(DataFile(f"wikitext-2/{split}.txt", f"{self.address}{split}.txt", sha256, size)))

    def words(self) -> list[str]:
        """All words, `<eos>` at the end of each line, blank ones too: what word models are measured on."""
        words: list[str] = []
        for line in self._lines():
            words += line.split()
            words.append(END_OF_LINE)
        return words

    def articles(self) -> list[Article]:
        """The articles in order. One starts at a line ` = Title = ` between blank lines; text before the first is lost.

        Blank lines tell a title from a line of a formula such as ` = Goals ; A = `, which has text next to it.
        """
        lines = self._lines()
        articles: list[Article] = []
        for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
            title = TITLE.fullmatch(line)
            if title and not before.strip() and not after.strip():
                articles.append(Article(title[1], []))
            elif articles and line.strip() and not SECTION.fullmatch(line):
                articles[-1].paragraphs.append(line.strip())
        return articles

    def _lines(self) -> list[str]:
        return self.text.removesuffix("\n").split("\n")
