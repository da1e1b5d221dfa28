"""`torchvision.datasets`: image datasets of (image, label), each through its transform."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigrad import data as readers, random
from minigrad.data.cache import DataFile, cache_dir, fetch
from minigrad.data.dataset import Dataset
from minigrad.tensor import from_raw
from minigrad.vision import cifar
from minigrad.vision.images import shown

__all__ = ["CIFAR10", "MNIST", "FakeData", "FashionMNIST", "VisionDataset"]


class VisionDataset(Dataset[tuple[Any, Any]]):
    """Base: `sample(i)`, an (image, label), comes from a subclass, the transforms from the user."""

    def __init__(
        self, root: Any = None, transform: Callable | None = None, target_transform: Callable | None = None
    ) -> None:
        for given, name in ((transform, "transform"), (target_transform, "target_transform")):
            if given is not None and not callable(given):
                raise TypeError(
                    f"{type(self).__name__}: {name} is a function of one sample, got {type(given).__name__}"
                )
        self.root = None if root is None else os.path.expanduser(root)
        self.transform, self.target_transform = transform, target_transform

    def sample(self, index: int) -> tuple[Any, Any]:
        raise NotImplementedError(f"{type(self).__name__} must write sample(index), or __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must write __len__()")

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        image, label = self.sample(int(index))
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        lines += [f"    {line}" for line in self.extra_repr().splitlines()]
        if self.transform is not None:
            first, *rest = repr(self.transform).splitlines()
            lines += ["    StandardTransform", f"Transform: {first}", *(f"           {line}" for line in rest)]
        return "\n".join(lines)

    def extra_repr(self) -> str:
        return ""


class MNIST(VisionDataset):
    """Handwritten digits (LeCun, Cortes, Burges 1998): 60,000 training and 10,000 test images, grey, 28 x 28.

    `data` is uint8 (N, 28, 28), `targets` int64 (N,). Files are looked for as torchvision keeps them
    (root/MNIST/raw/*, gzipped or not), then in minigrad's data cache, into which `download=True` fetches what is
    missing. RuntimeError where they are nowhere.
    """

    reader: ClassVar[type[readers.MNIST]] = readers.MNIST
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip

    def __init__(
        self, root: Any = None, train: bool = True, transform: Callable | None = None,
        target_transform: Callable | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform, target_transform)
        self.train = train
        part = "train" if train else "t10k"
        images = self._read(f"{part}-images-idx3-ubyte.gz", download)
        labels = self._read(f"{part}-labels-idx1-ubyte.gz", download).astype(np.int64)
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise RuntimeError(
                f"{type(self).__name__}: images {images.shape} and labels {labels.shape} do not belong together"
            )
        self.data, self.targets = from_raw(images), from_raw(labels)

    def _read(self, name: str, download: bool) -> np.ndarray:
        folders = [] if self.root is None else [Path(self.root, type(self).__name__, "raw"), Path(self.root)]
        for folder in folders:
            for candidate in (folder / name, folder / name.removesuffix(".gz")):
                if candidate.is_file():
                    return readers.read_idx(candidate)
        sha256, size = self.reader.files[name]
        file = DataFile(f"{self.reader.folder}/{name}", self.reader.address + name, sha256, size)
        if not download and not (cache_dir() / file.name).exists():
            places = " nor in ".join(map(str, [*folders, cache_dir() / self.reader.folder]))
            raise RuntimeError(
                f"Dataset not found: {name} is neither in {places}. You can use download=True to download it"
            )
        return readers.read_idx(fetch(file))

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def sample(self, index: int) -> tuple[Any, int]:
        return shown(self.data.array[index]), int(self.targets.array[index])

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Articles of clothing (Xiao, Rasul, Vollgraf 2017) in MNIST's format and sizes."""

    reader = readers.FashionMNIST
    classes: ClassVar[list[str]] = list(readers.FashionMNIST.classes)


class CIFAR10(VisionDataset):
    """50,000 training and 10,000 test images in colour, 32 x 32, of ten classes; see `cifar.py` for the files.

    `data` is a NumPy array uint8 (N, 32, 32, 3) and `targets` a list, as in torchvision.
    """

    classes: ClassVar[list[str]] = list(cifar.CLASSES)

    def __init__(
        self, root: Any = None, train: bool = True, transform: Callable | None = None,
        target_transform: Callable | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform, target_transform)
        self.train = train
        self.data, labels = cifar.read(Path(self.root or cache_dir()), train, download)
        self.targets: list[int] = labels.tolist()

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def sample(self, index: int) -> tuple[Any, int]:
        return shown(self.data[index]), self.targets[index]

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FakeData(VisionDataset):
    """`size` images of noise, each made when asked for, the same each time: image i is drawn from the seed
    i + `random_offset`. The default generator is left where it was.
    """

    def __init__(
        self, size: int = 1000, image_size: tuple[int, int, int] = (3, 224, 224), num_classes: int = 10,
        transform: Callable | None = None, target_transform: Callable | None = None, random_offset: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(None, transform, target_transform)
        self.size, self.num_classes, self.image_size, self.random_offset = size, num_classes, image_size, random_offset

    def sample(self, index: int) -> tuple[Any, int]:
        if not 0 <= index < self.size:
            raise IndexError(f"{type(self).__name__} index out of range")
        stream = random.Generator().manual_seed(index + self.random_offset)
        noise = random.randn(*self.image_size, generator=stream)
        label = random.randint(0, self.num_classes, size=(1,), generator=stream).item()
        pixels = noise.mul(255).byte().permute(1, 2, 0).contiguous().array
        return shown(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), label

    def __len__(self) -> int:
        return self.size
