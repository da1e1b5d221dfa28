"""Multi30k (Elliott, Frank, Sima'an, Specia 2016): captions of pictures, in English and in a German translation."""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad.data.cache import DataFile, fetch
from minigrad.data.dataset import Dataset
from minigrad.data.reading import check_choice, read_text

__all__ = ["Multi30k"]


class Multi30k(Dataset[tuple[str, str]]):
    """Sample i is (german, english), a sentence each. Splits "train" (29,000 pairs), "val" (1,014) and "test" (1,000).

    Test is the `test_2016_flickr` of the project, on which most figures are published. `german` and `english` are the
    two sides, lists of N str, as people wrote them: not lowered, not cut into words. No pair is in two splits.

    The files, two a split, are looked for in the data cache and downloaded where missing (1.3 MB in all). Raises
    ValueError for an unknown split and for sides of different length; for files, errors as `minigrad.data.fetch`.
    """

    address: ClassVar[str] = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
    splits: ClassVar[dict[str, str]] = {"train": "train", "val": "val", "test": "test_2016_flickr"}
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train.de.gz": ("726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6", 637_044),
        "train.en.gz": ("d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f", 568_929),
        "val.de.gz": ("f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a", 24_681),
        "val.en.gz": ("14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28", 21_650),
        "test_2016_flickr.de.gz": ("9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8", 22_890),
        "test_2016_flickr.en.gz": ("611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9", 21_077),
    }

    def __init__(self, split: str = "train") -> None:
        check_choice("Multi30k", "split", split, tuple(self.splits))
        self.split = split
        self.german = self._read(f"{self.splits[split]}.de.gz")
        self.english = self._read(f"{self.splits[split]}.en.gz")
        if len(self.german) != len(self.english):
            raise ValueError(
                f"Multi30k {split}: {len(self.german)} German and {len(self.english)} English lines do not belong "
                "together, expected a line each for a pair"
            )

    def _read(self, name: str) -> list[str]:
        sha256, size = self.files[name]
        path = fetch(DataFile(f"multi30k/{name}", self.address + name, sha256, size))
        return [line.strip() for line in read_text(path).removesuffix("\n").split("\n")]

    def __getitem__(self, index: Any) -> tuple[str, str]:
        return self.german[index], self.english[index]

    def __len__(self) -> int:
        return len(self.german)
