"""The small torchvision that programs use: datasets, transforms, and pictures of batches; augmentation of batches.

Images are Pillow images where Pillow is installed (`pip install 'minigrad[examples]'`), and uint8 arrays (height,
width) or (height, width, 3) where it is not. The transforms take both, and tensors (..., channels, height, width).
"""

from minigrad.vision import augment, datasets, mixing, transforms, utils
from minigrad.vision.augment import channel_statistics

__all__ = ["augment", "channel_statistics", "datasets", "mixing", "transforms", "utils"]
