"""The CUDA sources (*.cu), and the one way to launch what is in them.

A kernel's parameters are read from its source, so what an argument must be is written once, where it is used. CuPy
passes whatever it is given: an array of another dtype or size, or a view with gaps, would be read as if it were right.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import backend

BLOCK = 256  # threads; shared.cuh says the same
_DTYPES = {
    "float": "float32", "index_t": "int64", "int": "int32", "unsigned": "uint32", "unsigned char": "uint8",
    "unsigned long long": "uint64", "double": "float64", "Half": "float16", "Bfloat": "bfloat16",
}  # fmt: skip
_KERNEL = re.compile(r'extern "C" __global__ void (\w+)\((.*?)\)', re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel; `optional` pointers (named `..._or_null`) take None."""

    name: str
    dtype: str
    pointer: bool
    optional: bool


def files() -> list[str]:
    """The names of the .cu files."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.cu"))


@functools.cache
def source(file: str) -> str:
    """What is compiled for a .cu file: the shared part, and the file."""
    folder = Path(__file__).parent
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in ("shared.cuh", f"{file}.cu"))


@functools.cache
def kernels() -> dict[str, tuple[str, tuple[Parameter, ...]]]:
    """The file and the parameters of each kernel, by name."""
    found = {}
    for file in files():
        for name, text in _KERNEL.findall(source(file)):
            found[name] = file, tuple(_parameter(part) for part in text.split(","))
    return found


def _parameter(text: str) -> Parameter:
    kind, name = re.sub(r"\bconst\b", "", text).strip().rsplit(None, 1)
    pointer = "*" in kind or "*" in name
    name = name.strip("* ")
    return Parameter(name, _DTYPES[kind.replace("*", "").strip()], pointer, name.endswith("_or_null"))


@functools.cache
def _compiled(cupy: Any, file: str) -> Any:
    """Compiled at the first launch, for the device at hand; CuPy keeps the result on disk."""
    return cupy.RawModule(code=source(file), options=("--std=c++17",))


@functools.cache
def _function(cupy: Any, name: str) -> Any:
    return _compiled(cupy, kernels()[name][0]).get_function(name)


def launch(name: str, blocks: int | tuple[int, ...], *arguments: Any) -> None:
    """Run a kernel in `blocks` blocks of 256 threads.

    An array is given as (array, how many entries the kernel takes it to have). TypeError for another dtype or kind of
    argument, ValueError for another count or for memory that is not contiguous.
    """
    parameters = kernels()[name][1]
    if len(arguments) != len(parameters):
        names = ", ".join(p.name for p in parameters)
        raise TypeError(f"kernel {name} takes {len(parameters)} arguments ({names}), got {len(arguments)}")
    values = tuple(_checked(name, p, given) for p, given in zip(parameters, arguments, strict=True))
    grid = blocks if isinstance(blocks, tuple) else (blocks,)
    if all(grid):  # no rows: nothing to do, and no grid of 0 blocks can be launched
        _function(backend.backend_for("cuda").module, name)(grid, (BLOCK,), values)


def _checked(kernel: str, parameter: Parameter, given: Any) -> Any:
    what = f"kernel {kernel}, {parameter.name}"
    if not parameter.pointer:
        if isinstance(given, tuple) or hasattr(given, "shape"):
            raise TypeError(f"{what}: expected a number, got {type(given).__name__}")
        return np.dtype(parameter.dtype).type(given)
    if given is None and parameter.optional:
        return np.uint64(0)
    if not isinstance(given, tuple):
        raise TypeError(f"{what}: expected (array, count), got {type(given).__name__}")
    array, count = given
    if backend.backend_of(array).device_type != "cuda":
        raise TypeError(f"{what}: expected an array on the GPU, got one on {backend.backend_of(array).device_type}")
    if array.dtype.name != parameter.dtype and not (parameter.dtype == "uint8" and array.dtype == "bool"):
        raise TypeError(f"{what}: expected {parameter.dtype}, got {array.dtype}")
    if array.size != count:
        raise ValueError(f"{what}: expected {count} entries, got {array.size} (shape {tuple(array.shape)})")
    if not array.flags.c_contiguous:
        raise ValueError(f"{what}: expected contiguous memory, got shape {tuple(array.shape)}, strides {array.strides}")
    return array
