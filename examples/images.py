"""What the scripts about pictures share: data sets and their parts, batches, and grids of pictures."""

import argparse
import os
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import data
from minigrad.vision.utils import make_grid, save_image

READERS = {"fashion": data.FashionMNIST, "cifar10": data.CIFAR10, "mnist": data.MNIST, "digits": data.Digits}


@dataclass
class Part:
    """Pictures, uint8 (N, C, H, W), and their classes, int64 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, places: np.ndarray) -> "Part":
        return Part(self.images[places], self.labels[places])

    def pixels(self, places: np.ndarray | slice, device: mg.device | None = None) -> mg.Tensor:
        """Some pictures as float32 in [0, 1]."""
        return mg.tensor(np.divide(self.images[places], 255, dtype=np.float32), device=device)


def add_data_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", choices=READERS, default="fashion",
        help="fashion: clothes, 28 x 28 (31 MB, fetched once); mnist: digits, 28 x 28; cifar10: colour photographs, "
        "32 x 32 (170 MB); digits: the 1,797 that scikit-learn carries, as 16 x 16 (default: %(default)s)",
    )  # fmt: skip


def read(name: str, train: bool) -> tuple[Part, list[str]]:
    """The pictures for training, or for testing, and the names of the classes. Digits are enlarged to 16 x 16."""
    source = READERS[name](train)
    images = source.images
    if name == "digits":
        images = (images * 255.0 / 16).round().astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    return Part(images if images.ndim == 4 else images[:, None], source.labels), list(source.classes)


def read_splits(name: str, validation: float, seed: int) -> tuple[dict[str, Part], list[str]]:
    """({"train", "validation", "test"}, names of the classes): `validation` is the share of the training pictures that
    is held out, the same of each class. ValueError where a class has too few pictures for that.
    """
    whole, classes = read(name, True)
    test, _ = read(name, False)
    kept, held = data.stratified_split(whole.labels, (1 - validation, validation), seed)
    return {"train": whole.taken(kept), "validation": whole.taken(held), "test": test}, classes


def save_grid(path: str, pictures: mg.Tensor, columns: int = 4, scale: int = 4) -> mg.Tensor:
    """Write pictures (N, C, H, W) in [0, 1] as one, `columns` side by side, each pixel `scale` pixels large.

    Gives the grid (3, H', W') back.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    grid = make_grid(pictures.detach().cpu().clamp(0, 1), nrow=columns, padding=1, pad_value=0.5)
    grid = grid.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    save_image(grid, path)
    return grid


def check_shares(parser: argparse.ArgumentParser, args: argparse.Namespace, *names: str) -> None:
    """End with a sentence where a flag that is a share of something is not in [0, 1)."""
    for name in names:
        if not 0 <= getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be in [0, 1), got {getattr(args, name)}")


def set_rate(optimizer: mg.optim.Optimizer, rate: float) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate
