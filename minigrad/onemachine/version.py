"""`torch.version`: the PyTorch whose meaning minigrad's names have, and what it was built for."""

from minigrad.alias import VERSION as __version__

__torchvision_version__ = "0.28.0+minigrad"
cuda: str | None = None
hip: str | None = None
debug = False
git_version = "unknown"

__all__ = ["__torchvision_version__", "__version__", "cuda", "debug", "git_version", "hip"]
