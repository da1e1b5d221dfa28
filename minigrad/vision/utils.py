"""`torchvision.utils`: a batch of images as one picture, and pictures as files."""

import math
import os
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np

from minigrad import autograd, backend, creation, ops
from minigrad.tensor import Tensor
from minigrad.vision.images import pillow


@autograd.no_grad()
def make_grid(
    tensor: Any, nrow: int = 8, padding: int = 2, normalize: bool = False,
    value_range: tuple[float, float] | None = None, scale_each: bool = False, pad_value: float = 0.0,
) -> Tensor:  # fmt: skip
    """The images of a batch (B, C, H, W), or a list of (C, H, W), `nrow` side by side: one tensor (C, H', W').

    Grey images come out in three equal channels. `normalize` brings the values from `value_range` (default: their
    minimum and maximum, of all images or with `scale_each` of each) to [0, 1]. TypeError for what is no tensor.
    """
    if isinstance(tensor, (tuple, list)):
        if not all(isinstance(x, Tensor) for x in tensor):
            raise TypeError("make_grid takes a Tensor or a list of them")
        tensor = ops.stack(list(tensor), 0)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"make_grid takes a Tensor or a list of them, got {type(tensor).__name__}")
    if tensor.ndim < 2 or tensor.ndim > 4:
        raise ValueError(f"make_grid takes images (H, W), (C, H, W) or (B, C, H, W), got shape {tuple(tensor.shape)}")
    tensor = tensor.reshape((1,) * (4 - tensor.ndim) + tuple(tensor.shape))
    if tensor.shape[1] == 1:
        tensor = ops.cat([tensor] * 3, 1)
    if normalize:
        tensor = _to_unit(tensor, value_range, scale_each)
    if tensor.shape[0] == 1:
        return tensor.squeeze(0)
    count, channels, height, width = tensor.shape
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = height + padding, width + padding
    grid = creation.full(
        (channels, height * rows + padding, width * columns + padding),
        float(pad_value),
        dtype=tensor.dtype,
        device=tensor.device,
    )
    for k in range(count):
        top, left = k // columns * height + padding, k % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = tensor[k]
    return grid


def _to_unit(tensor: Tensor, value_range: Any, scale_each: bool) -> Tensor:
    if value_range is not None and not (isinstance(value_range, tuple) and len(value_range) == 2):
        raise TypeError(f"value_range has to be a tuple (min, max), got {value_range!r}")

    def scaled(x: Tensor) -> Tensor:
        low, high = value_range or (x.min().item(), x.max().item())
        return (x.clamp(low, high) - low) / max(high - low, 1e-5)

    return ops.stack([scaled(x) for x in tensor], 0) if scale_each else scaled(tensor)


@autograd.no_grad()
def save_image(tensor: Any, fp: "str | os.PathLike | BinaryIO", format: str | None = None, **kwargs: Any) -> None:
    """Write a tensor in [0, 1], made a grid by `make_grid(tensor, **kwargs)`, to an image file; PNG needs no Pillow.

    `format` (default: from the name) is one of Pillow's. ValueError where neither says what to write.
    """
    grid = make_grid(tensor, **kwargs)
    pixels = backend.to_host(grid.mul(255).add(0.5).clamp(0, 255).permute(1, 2, 0).byte().contiguous().array)
    name = os.fspath(fp) if isinstance(fp, (str, os.PathLike)) else ""
    kind = format or os.path.splitext(name)[1].removeprefix(".")
    if not kind:
        raise ValueError("save_image: a file object needs format=, such as format='png'")
    if kind.lower() != "png":
        pillow(f"writing {kind}").fromarray(pixels).save(fp, format=format)
        return
    data = png(pixels)
    if name:
        with open(name, "wb") as file:
            file.write(data)
    else:
        fp.write(data)  # type: ignore[union-attr]


def png(pixels: np.ndarray) -> bytes:
    """A uint8 array (height, width, 3) as a PNG file (ISO/IEC 15948): every line unfiltered, compressed by zlib."""
    height, width, _ = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


__all__ = ["make_grid", "png", "save_image"]
