"""Chinese poems of the Tang and Song dynasties, from the chinese-poetry project on GitHub (MIT)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from minigrad.data.cache import DataFile, fetch
from minigrad.data.dataset import Dataset
from minigrad.data.reading import check_choice, read_text

__all__ = ["Poem", "TangPoems"]

GAP = "□"  # a character that was lost
DESCRIBED = re.compile(r"\{[^}]*\}")  # one that Unicode lacks, by its parts: {臨/手}
BRACKETS = re.compile(r"[\[\]/]")  # marks of the editors around or after a character that they mended
SIGNS = re.compile(r"\W+")


class Poem(NamedTuple):
    """A title (for ci, the tune), the author, and the lines: two verses each, or a sentence, with their punctuation."""

    title: str
    author: str
    lines: tuple[str, ...]


class TangPoems(Dataset[Poem]):
    """Poem i of one or more collections: `TangPoems()`, or for example `TangPoems("tang", "song")`.

    - "tang": the first seven files of the Complete Tang Poems, 6,836 poems in traditional characters;
    - "tang300": the Three Hundred Tang Poems, 352 in traditional characters, 102 of them in "tang" too;
    - "song": the first file of the Complete Song Ci, 987 in simplified characters, titled by their tunes.

    The default is the first two, 7,086 poems. Nothing is converted: with "song" besides, a model sees two scripts.

    The counts are smaller than those of the files (7,004, 366 and 1,000), for two reasons. A poem that comes twice, up
    to punctuation, is kept once, so that a split by poem is honest. And poems with a □, a character that was lost or
    that Unicode lacks, are left out; `gaps=True` keeps them. Editors' brackets are taken away. `poems` is the list.

    The files are looked for in the data cache and downloaded where missing (3.2, 0.2 and 0.4 MB). Raises ValueError
    for an unknown collection; for files, errors as `minigrad.data.fetch`.
    """

    address: ClassVar[str] = "https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/master/"
    collections: ClassVar[dict[str, tuple[str, ...]]] = {
        "tang": tuple(f"全唐诗/poet.tang.{start}.json" for start in range(0, 7000, 1000)),
        "tang300": ("全唐诗/唐诗三百首.json",),
        "song": ("宋词/ci.song.0.json",),
    }
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "全唐诗/poet.tang.0.json": ("4f88f429938082523cdc72a1612bd7a7c3e3f7a33f8192c61ae51340efc3c92d", 408_405),
        "全唐诗/poet.tang.1000.json": ("6e703b8d8dcedbd6110f6d48d043665ca2131db2035a5bfcef5e59a19aeb6d75", 477_519),
        "全唐诗/poet.tang.2000.json": ("ec28efa7e2ae9cdbbba09f0ed186e32ccae47a325ad1e5816b7ad56071c1665a", 417_948),
        "全唐诗/poet.tang.3000.json": ("9e4ba2323752b6b9fbdba875cdbc6a26636fe0cabc85fd066370d4915952001f", 453_811),
        "全唐诗/poet.tang.4000.json": ("b8a7946c879b9658a6c667a4c55f776fae7e5e00a17789ab06b274c1429afc66", 488_655),
        "全唐诗/poet.tang.5000.json": ("a0306e6962cff01639ad9a00b042a201b8dec1f30fa5d768a7b112589887861e", 467_225),
        "全唐诗/poet.tang.6000.json": ("982a21d2b15922b406911f1c825785054314c686da86b2155d7aebb362d22771", 470_031),
        "全唐诗/唐诗三百首.json": ("d77a145f7470da2ed2f79515944563c062ffc43fceda07f195a36ead66b7e5c7", 190_787),
        "宋词/ci.song.0.json": ("7761bc5ef50305753ea3dcea9e1ef3164e153e3ee366169e9c5a9a7d85b21b22", 406_936),
    }

    def __init__(self, *collections: str, gaps: bool = False) -> None:
        self.poems: list[Poem] = []
        seen: set[str] = set()
        for collection in collections or ("tang", "tang300"):
            check_choice("TangPoems", "collection", collection, tuple(self.collections))
            for poem in (poem for name in self.collections[collection] for poem in self._read(name)):
                whole = "".join(poem.lines)
                meaning = SIGNS.sub("", whole)
                if meaning not in seen and (gaps or GAP not in whole):
                    self.poems.append(poem)
                    seen.add(meaning)

    @property
    def text(self) -> str:
        """All poems for a language model: the title, then each line on its own; an empty line between poems."""
        return "\n\n".join("\n".join([poem.title, *poem.lines]).lstrip() for poem in self.poems) + "\n"

    def _read(self, name: str) -> Iterator[Poem]:
        from urllib.parse import quote

        sha256, size = self.files[name]
        path = fetch(DataFile(f"chinese-poetry/{name}", self.address + quote(name), sha256, size))
        for number, entry in enumerate(_entries(path)):
            try:
                title, author, lines = entry.get("title", entry.get("rhythmic")), entry["author"], entry["paragraphs"]
                yield Poem(_mended(title), author.strip(), tuple(line for line in map(_mended, lines) if line))
            except (AttributeError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}: entry {number} is no poem, expected a title (or rhythmic), an author and paragraphs, "
                    f"got {str(entry)[:80]}"
                ) from error

    def __getitem__(self, index: Any) -> Poem:
        return self.poems[index]

    def __len__(self) -> int:
        return len(self.poems)


def _entries(path: Path) -> list[Any]:
    import json

    try:
        entries = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); delete it and get it again") from error
    if not isinstance(entries, list):
        raise ValueError(f"{path} holds a {type(entries).__name__}, expected a list of poems")
    return entries


def _mended(line: str) -> str:
    return BRACKETS.sub("", DESCRIBED.sub(GAP, line)).strip()
