"""Texts that praise or blame: SST-2 and IMDB (films, English), ChnSentiCorp (hotels, books, notebooks, Chinese).

Sample i is (text, label), label 0 for negative and 1 for positive. No text is in two splits: train leaves out what dev
or test has, dev what test has, and test is whole, so that its figures compare with published ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigrad.data.cache import DataFile, fetch, fetch_member
from minigrad.data.dataset import Dataset
from minigrad.data.reading import check_choice, decoded, read_tsv, tar_members
from minigrad.data.splits import rows_apart

__all__ = ["IMDB", "SST2", "ChnSentiCorp", "SentimentTexts"]

UNKNOWN = -1  # the label of a text whose label is not given out
Parts = dict[str, tuple[list[str], list[int]]]  # split -> texts and labels


class SentimentTexts(Dataset[tuple[str, int]]):
    """What the three have in common: `texts`, a list of N str, `labels`, int64 (N,), and `classes`, their names.

    `drop_shared=False` keeps the texts that another split has too, for the counts that others publish.

    Raises ValueError for an unknown split; for files, errors as `minigrad.data.fetch`.
    """

    classes: ClassVar[tuple[str, ...]] = ("negative", "positive")
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "test")  # a text in several belongs to the last of them

    def __init__(self, split: str = "train", drop_shared: bool = True) -> None:
        check_choice(type(self).__name__, "split", split, self.splits)
        later = self.splits[self.splits.index(split) + 1 :] if drop_shared else ()
        parts = self._read((split, *later))
        texts, labels = parts[split]
        kept = rows_apart(texts, *(parts[other][0] for other in later))
        self.split = split
        self.texts = [texts[i] for i in kept]
        self.labels = np.array(labels, np.int64)[kept]

    def _read(self, splits: Sequence[str]) -> Parts:
        raise NotImplementedError

    def __getitem__(self, index: Any) -> tuple[str, int]:
        return self.texts[index], int(self.labels[index])

    def __len__(self) -> int:
        return len(self.texts)


class SST2(SentimentTexts):
    """The Stanford Sentiment Treebank as GLUE has it (Socher et al. 2013; Wang et al. 2019): phrases of film reviews.

    Splits "train" (67,347 phrases and sentences; 67,349 in the file, 2 of which are in test), "dev" (872 sentences)
    and "test" (1,821 sentences). GLUE does not give out the labels of test: they are all -1 here. Report dev.

    The text is in lower case, its words and punctuation marks apart by blanks; 371 rows of train are copies of others.
    The three members of the 7.4 MB zip are kept in the cache.
    """

    # The checksum and size of the zip are those that several public loaders of GLUE agree on; no copy was at hand to
    # compute them. The members' were computed, so a zip that was packed anew cannot slip anything in.
    archive: ClassVar[DataFile] = DataFile(
        "SST-2/SST-2.zip", "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",
        "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa", 7_439_277,
    )  # fmt: skip
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train.tsv": ("48eac26399f8456935f81dd9e3a745c1430adb6c62e233ccfe22db4a0d15d1d1", 3_806_081),
        "dev.tsv": ("54a9c12c77e402fc14d6a66a506f24d999f596b0176eb777c972cccc2f9cc4b0", 94_931),
        "test.tsv": ("69a938605609b3e6663b4487918fe1565eb293734e6e520d0366d1d412fd2a13", 197_335),
    }

    def _read(self, splits: Sequence[str]) -> Parts:
        parts: Parts = {}
        for split in splits:
            path = _member(f"SST-2/{split}.tsv", self.files, self.archive, f"SST-2/{split}.tsv")
            if split == "test":
                texts = [text.strip() for _, text in read_tsv(path, ("index", "sentence"))]
                parts[split] = texts, [UNKNOWN] * len(texts)
            else:
                parts[split] = _texts_and_labels(read_tsv(path, ("sentence", "label")), path)
        return parts


class ChnSentiCorp(SentimentTexts):
    """Chinese reviews of hotels, books and notebooks (Tan Songbo), in the splits of the Chinese BERT-wwm project.

    Splits "train" (8,913 reviews), "dev" (1,161) and "test" (1,200). The files have 9,600, 1,200 and 1,200, but 687
    rows of train come again in dev or test, and 39 rows of dev in test: those are left out. 1,324 rows of what train
    has left are copies of others in it; 23 texts come with both labels. Most are in simplified characters, some
    in traditional ones. The members of the 1.8 MB zip are kept in the cache.
    """

    archive: ClassVar[DataFile] = DataFile(
        "chnsenticorp/chnsenticorp.zip",
        "https://github.com/ymcui/Chinese-BERT-wwm/raw/master/data/chnsenticorp/chnsenticorp.zip",
        "79218af1c3efdfd3223569440736eac207ab6b19babd2cd73b7ffc04250700ba", 1_756_782,
    )  # fmt: skip
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train.tsv": ("0b2653c23e5c79f539472e90cb10522f0ada4b80d3da95572d8b48fda47d5b33", 3_019_974),
        "dev.tsv": ("d129e443eac08ce7643013dad496a8edf282be39cac1a4f2ad080818b296b331", 374_230),
        "test.tsv": ("34f9d71eba6096cd8689e18913d28cf9a5f3c18a6c2804cd13304a321738c4bc", 369_742),
    }

    def _read(self, splits: Sequence[str]) -> Parts:
        parts: Parts = {}
        for split in splits:
            path = _member(f"chnsenticorp/{split}.tsv", self.files, self.archive, f"{split}.tsv")
            rows = read_tsv(path, ("label", "text_a"))
            parts[split] = _texts_and_labels([(text, label) for label, text in rows], path)
        return parts


class IMDB(SentimentTexts):
    """Film reviews with a clear verdict (Maas et al. 2011): negative ones gave 1 to 4 points of 10, positive 7 to 10.

    Splits "train" and "test" (25,000 reviews in the archive, half of them positive; train without those that test
    has) and "unsup" (50,000 with labels -1, for pre-training). The order is by label, then by number: shuffle.
    Line breaks stand in the text as `<br />`; `clean_text` makes blanks of them.

    The 84 MB archive stays as it is in the cache and is read through, some seconds, each time.
    """

    splits = ("unsup", "train", "test")
    archive: ClassVar[DataFile] = DataFile(  # several public loaders agree on the checksum; no copy was at hand
        "imdb/aclImdb_v1.tar.gz", "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe", 84_125_825,
    )  # fmt: skip
    folders: ClassVar[dict[str, tuple[str, int]]] = {  # folder -> split, label
        "test/neg": ("test", 0),
        "test/pos": ("test", 1),
        "train/neg": ("train", 0),
        "train/pos": ("train", 1),
        "train/unsup": ("unsup", UNKNOWN),
    }

    def _read(self, splits: Sequence[str]) -> Parts:
        path = fetch(self.archive)
        wanted = [folder for folder, (split, _) in self.folders.items() if split in splits]
        review = re.compile(rf"aclImdb/({'|'.join(wanted)})/(\d+)_\d+\.txt")  # number_rating.txt
        found: dict[str, dict[int, str]] = {folder: {} for folder in wanted}
        for name, content in tar_members(path, review.fullmatch):
            folder, number = review.fullmatch(name).groups()  # type: ignore[union-attr]
            found[folder][int(number)] = decoded(content, f"{path}: {name}")
        if empty := [folder for folder in wanted if not found[folder]]:
            raise RuntimeError(f"{path} lacks reviews in {', '.join(f'aclImdb/{folder}' for folder in empty)}")
        parts: Parts = {split: ([], []) for split in splits}
        for folder in wanted:
            split, label = self.folders[folder]
            parts[split][0].extend(found[folder][number] for number in sorted(found[folder]))
            parts[split][1].extend([label] * len(found[folder]))
        return parts


def _member(name: str, files: dict[str, tuple[str, int]], archive: DataFile, member: str) -> Path:
    sha256, size = files[Path(name).name]
    return fetch_member(DataFile(name, archive.url, sha256, size), archive, member)


def _texts_and_labels(rows: Sequence[tuple[str, ...]], path: Path) -> tuple[list[str], list[int]]:
    for number, (_, label) in enumerate(rows, start=2):
        if label not in ("0", "1"):
            raise ValueError(f"{path}, line {number}: the label is {label!r}, expected 0 or 1")
    return [text.strip() for text, _ in rows], [int(label) for _, label in rows]
