"""The small torchvision that programs use: datasets, transforms, and pictures of batches.

Images are Pillow images where Pillow is installed (`pip install 'minigrad[examples]'`), and uint8 arrays (height,
width) or (height, width, 3) where it is not. The transforms take both, and tensors (..., channels, height, width).
"""

from minigrad.vision import datasets, transforms, utils

__all__ = ["datasets", "transforms", "utils"]
