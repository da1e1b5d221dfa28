"""The words for how a tensor lies in memory, `strided` and `channels_last`: programs pass, compare and print them.

All tensors here are strided and are made in row-major order; a memory format that is asked for changes nothing.
"""


class _Word:
    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:  # pickled by its name: it stays the same object
        return self.name


class layout(_Word):
    """`torch.layout`."""


class memory_format(_Word):
    """`torch.memory_format`."""


strided = layout("strided")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
