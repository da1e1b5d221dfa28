"""CUDA kernels on a machine without a GPU: their own source, compiled for the CPU, run through minigrad's launcher.

`RawModule` takes the place of CuPy's for the stand-in of strict_cupy.py; cuda_on_host.h plays the blocks and threads.
What it shows is that the kernels compute what they should, with any order of threads; it says nothing of their speed.
"""

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from strict_cupy import StrictArray
from strict_modes import state

HEADER = Path(__file__).parent / "cuda_on_host.h"
COMPILER = shutil.which("g++") or shutil.which("clang++")
_folder = tempfile.TemporaryDirectory(prefix="minigrad-cuda-")


class RawModule:
    """`cupy.RawModule(code=, options=)`, as far as kernels/cuda uses it."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()):
        assert options == ("--std=c++17",)
        self.code = code
        self.library = ctypes.CDLL(str(_built(code)))

    def get_function(self, name: str) -> Callable:
        function = getattr(self.library, f"run_{name}")

        def call(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple) -> None:
            state.check([a._host for a in arguments if isinstance(a, StrictArray)])
            given = [ctypes.c_uint(n) for n in (*(*grid, 1)[:2], *block)] + [_c(a) for a in arguments]
            if state.recording is None:
                function(*given)
            else:
                arrays = [a._host for a in arguments if isinstance(a, StrictArray)]
                state.recording.add_launch(functools.partial(_launch, function, given, arrays), arrays)

        return call


def _launch(function: Callable, given: list, arrays: list) -> None:
    function(*given)  # `arrays` is there to keep the memory: `given` has but its addresses


def _c(value: Any) -> Any:
    if isinstance(value, StrictArray):
        return ctypes.c_void_p(value.data.ptr)
    assert isinstance(value, np.generic), "the launcher must not leave it to CuPy to guess a number's type"
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item())


def _built(code: str) -> Path:
    assert COMPILER is not None
    text = f'#include "{HEADER}"\n{code}\n'
    for name, parameters in re.findall(r'extern "C" __global__ void (\w+)\((.*?)\)', code, re.DOTALL):
        given = ", ".join(part.split()[-1].strip("*") for part in parameters.split(","))
        text += f'extern "C" void run_{name}(unsigned grid_x, unsigned grid_y, unsigned threads, {parameters}) {{\n'
        text += f"    run_grid(grid_x, grid_y, threads, [=]() {{ {name}({given}); }});\n}}\n"
    stem = Path(_folder.name) / hashlib.sha256(text.encode()).hexdigest()
    library = stem.with_suffix(".so")
    if not library.exists():
        file = stem.with_suffix(".cpp")
        file.write_text(text, encoding="utf-8")
        command = [
            COMPILER,
            "-std=c++17",
            "-O1",
            "-w",
            "-shared",
            "-fPIC",
            str(stem.with_suffix(".cpp")),
            "-o",
            str(library),
        ]
        subprocess.run(command, check=True)
    return library
