"""Helpers: activation checkpointing, and `utils.data` as PyTorch names it."""

from minigrad import data
from minigrad.utils import checkpoint

__all__ = ["checkpoint", "data"]
