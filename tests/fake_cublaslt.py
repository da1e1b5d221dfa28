"""A stand-in for nvmath-python's bindings of cuBLASLt, for products of the arrays of strict_cupy.py.

`FakeCublasLt` computes with NumPy what the descriptors it was given say, in the memory at the addresses it was given,
by columns as cuBLASLt does. Names, parameters, numbers and the sizes of attributes are those recorded from
nvmath-python (recorded/nvmath_names.json, by scripts/record_nvmath_names.py). Refused, as cuBLASLt refuses it or would
read nonsense: unknown names and attributes, attributes of a wrong size, leading dimensions below the rows, matrices
that do not fit, reach beyond the memory of a living array or are of another type than it, batches of different length,
a pointer aligned worse than was promised, a bias that is missing, too short or of another type, a workspace smaller
than said, an algorithm chosen for something else, a destroyed descriptor, another stream than the current one.
"""

import ctypes
import enum
import inspect
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
from strict_cupy import StrictArray, living, strict
from strict_modes import state

RECORDED = json.loads((Path(__file__).parent / "recorded" / "nvmath_names.json").read_text(encoding="utf-8"))
DTYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float64), 2: np.dtype(np.float16), 14: np.dtype(ml_dtypes.bfloat16)}
SCALES = {"COMPUTE_32F": 0, "COMPUTE_32F_FAST_TF32": 0, "COMPUTE_64F": 1}  # the type of alpha and beta


class cuBLASLtError(Exception):
    """nvmath.bindings.cublasLt.cuBLASLtError."""


def _refuse(when: bool, why: str) -> None:
    if when:
        raise cuBLASLtError(f"CUBLAS_STATUS_INVALID_VALUE: {why}")


@dataclass
class Layout:
    type: int
    rows: int
    cols: int
    ld: int
    set: dict[str, int] = field(default_factory=dict)

    @property
    def batch(self) -> int:
        return self.set.get("BATCH_COUNT", 1)

    def facts(self) -> tuple:
        return self.type, self.rows, self.cols, self.ld, tuple(sorted(self.set.items()))

    def view(self, address: int) -> np.ndarray:
        """(batch, rows, columns) of the memory at an address, where a living array has it."""
        step, dtype = self.set.get("STRIDED_BATCH_OFFSET", 0), DTYPES[self.type]
        entries = (self.batch - 1) * step + (self.cols - 1) * self.ld + self.rows
        flat = np.frombuffer((ctypes.c_char * (entries * dtype.itemsize)).from_address(address), dtype)
        steps = tuple(n * dtype.itemsize for n in (step, 1, self.ld))
        return np.lib.stride_tricks.as_strided(flat, (self.batch, self.rows, self.cols), steps)

    def bytes(self) -> int:
        step = self.set.get("STRIDED_BATCH_OFFSET", 0)
        return ((self.batch - 1) * step + (self.cols - 1) * self.ld + self.rows) * DTYPES[self.type].itemsize


@dataclass
class Operation:
    compute: str
    scale: int
    set: dict[str, int] = field(default_factory=dict)

    def facts(self) -> tuple:
        return self.compute, tuple((k, v) for k, v in sorted(self.set.items()) if k != "BIAS_POINTER")


@dataclass
class Preference:
    set: dict[str, int] = field(default_factory=dict)


class HeuristicResult:
    """MatmulHeuristicResult(1): the algorithm is its first member."""

    def __init__(self, size: int = 1):
        assert size == 1
        self._memory = np.zeros(RECORDED["bytes of a heuristic result"], np.uint8)
        self.state = 0

    @property
    def ptr(self) -> int:
        return self._memory.ctypes.data


def owners_of(*spans: tuple[int, int]) -> list[StrictArray]:
    """For each (address, bytes) the living device array in whose memory they lie."""
    arrays = [x for x in living() if x.size]
    bounds = [np.lib.array_utils.byte_bounds(x._host) for x in arrays]
    found = []
    for address, size in spans:
        holds = (x for x, (low, high) in zip(arrays, bounds, strict=True) if low <= address <= high - size)
        owner = next(holds, None)
        _refuse(owner is None, f"(CUDA_ERROR_ILLEGAL_ADDRESS) no array has the {size} bytes at {address:#x}")
        found.append(owner)
    return found


class FakeCublasLt:
    """nvmath.bindings.cublasLt. `products` lists what was computed; `declines(operation, a, b, d)` says of what it has
    no algorithm."""

    cuBLASLtError, MatmulHeuristicResult = cuBLASLtError, HeuristicResult
    MatmulDescAttribute, MatrixLayoutAttribute, MatmulPreferenceAttribute = (
        enum.IntEnum(name, {member: number for member, (number, _) in RECORDED["attributes"][name].items()})
        for name in ("MatmulDescAttribute", "MatrixLayoutAttribute", "MatmulPreferenceAttribute")
    )
    Epilogue, ReductionScheme = (
        enum.IntEnum(name, RECORDED["enumerations"][name]) for name in ("Epilogue", "ReductionScheme")
    )

    def __init__(self) -> None:
        self._living: dict[int, Any] = {}
        self._algorithms: dict[int, tuple] = {}
        self._next = 1000
        self.products: list[SimpleNamespace] = []
        self.heuristics = 0
        self.declines: Callable[..., bool] = lambda operation, a, b, d: False
        for name, parameters in RECORDED["functions"].items():
            function = getattr(self, f"_{name}")
            assert list(inspect.signature(function).parameters) == parameters, f"{name}{parameters}"
            setattr(self, name, self._checked(name, function))

    @staticmethod
    def _checked(name: str, function: Callable) -> Callable:
        def call(*arguments: Any) -> Any:
            for a in arguments:
                if not isinstance(a, int) or isinstance(a, bool):
                    raise TypeError(f"{name}() takes addresses and numbers, got {type(a).__name__}")
            return function(*arguments)

        return call

    # ------------------------------------------------------------------ descriptors

    def _new(self, thing: Any) -> int:
        self._next += 1
        self._living[self._next] = thing
        return self._next

    def _get(self, handle: int, kind: type) -> Any:
        thing = self._living.get(handle)
        _refuse(type(thing) is not kind, f"{handle} is no living {kind.__name__}")
        return thing

    def _destroy(self, handle: int, kind: type) -> None:
        self._get(handle, kind)
        del self._living[handle]

    def _set(self, thing: Any, family: str, attr: int, buf: int, size: int) -> None:
        known = {number: (name, dtype) for name, (number, dtype) in RECORDED["attributes"][family].items()}
        _refuse(attr not in known, f"unknown attribute {attr} of {family}")
        name, dtype = known[attr]
        _refuse(size != np.dtype(dtype).itemsize, f"{name} takes {dtype}, got {size} bytes")
        thing.set[name] = int(np.frombuffer(ctypes.string_at(buf, size), dtype)[0])

    @staticmethod
    def _dtype(family: str, attr: int) -> type:
        return next(np.dtype(d).type for number, d in RECORDED["attributes"][family].values() if number == attr)

    def _get_version(self) -> int:
        return 130100

    def _create(self) -> int:
        return self._new("handle")

    def _matmul_desc_create(self, compute_type: int, scale_type: int) -> int:
        compute = FakeCublas.ComputeType(compute_type).name
        _refuse(SCALES[compute] != scale_type, f"{compute} with a scale of type {scale_type}")
        return self._new(Operation(compute, scale_type))

    def _matrix_layout_create(self, type: int, rows: int, cols: int, ld: int) -> int:
        _refuse(type not in DTYPES or min(rows, cols) < 1, f"a matrix {rows} x {cols} of type {type}")
        _refuse(ld < rows, f"leading dimension {ld} below {rows} rows")
        return self._new(Layout(type, rows, cols, ld))

    def _matmul_preference_create(self) -> int:
        return self._new(Preference())

    def _matmul_desc_destroy(self, matmul_desc: int) -> None:
        self._destroy(matmul_desc, Operation)

    def _matrix_layout_destroy(self, mat_layout: int) -> None:
        self._destroy(mat_layout, Layout)

    def _matmul_preference_destroy(self, pref: int) -> None:
        self._destroy(pref, Preference)

    def _matmul_desc_set_attribute(self, matmul_desc: int, attr: int, buf: int, size_in_bytes: int) -> None:
        self._set(self._get(matmul_desc, Operation), "MatmulDescAttribute", attr, buf, size_in_bytes)

    def _matrix_layout_set_attribute(self, mat_layout: int, attr: int, buf: int, size_in_bytes: int) -> None:
        self._set(self._get(mat_layout, Layout), "MatrixLayoutAttribute", attr, buf, size_in_bytes)

    def _matmul_preference_set_attribute(self, pref: int, attr: int, buf: int, size_in_bytes: int) -> None:
        self._set(self._get(pref, Preference), "MatmulPreferenceAttribute", attr, buf, size_in_bytes)

    def _get_matmul_desc_attribute_dtype(self, attr: int) -> type:
        return self._dtype("MatmulDescAttribute", attr)

    def _get_matrix_layout_attribute_dtype(self, attr: int) -> type:
        return self._dtype("MatrixLayoutAttribute", attr)

    def _get_matmul_preference_attribute_dtype(self, attr: int) -> type:
        return self._dtype("MatmulPreferenceAttribute", attr)

    # ------------------------------------------------------------------ choosing

    def _matmul_algo_get_heuristic(
        self, light_handle: int, operation_desc: int, adesc: int, bdesc: int, cdesc: int, ddesc: int, preference: int,
        requested_algo_count: int, heuristic_results_array: int, return_algo_count: int,
    ) -> None:  # fmt: skip
        self.heuristics += 1
        operation = self._get(operation_desc, Operation)
        a, b, c, d = layouts = [self._get(x, Layout) for x in (adesc, bdesc, cdesc, ddesc)]
        wanted = self._get(preference, Preference).set
        _refuse(self._living.get(light_handle) != "handle" or requested_algo_count != 1, "handle or count")
        (m, k), (k2, n) = (
            (x.cols, x.rows) if operation.set.get(way) else (x.rows, x.cols)
            for x, way in ((a, "TRANSA"), (b, "TRANSB"))
        )
        _refuse(k != k2 or (d.rows, d.cols) != (m, n), f"({m}, {k}) ({k2}, {n}) -> ({d.rows}, {d.cols})")
        _refuse(c.facts() != d.facts() or len({x.type for x in layouts}) > 1, "matrices of different types")
        _refuse(len({x.batch for x in layouts}) > 1, "batches of different length")
        _refuse(d.batch > 1 and d.set.get("STRIDED_BATCH_OFFSET", 0) < n * m, "results that overlap")
        _refuse((operation.compute == "COMPUTE_64F") != (d.type == 1), f"{operation.compute} of type {d.type}")
        _refuse(operation.compute.endswith("TF32") and d.type != 0, "TF32 is for float32")
        epilogue = self.Epilogue(operation.set.get("EPILOGUE", 1))
        _refuse(epilogue.name.endswith("BIAS") and not operation.set.get("BIAS_POINTER"), "no bias")
        aligned = [wanted.get(f"MIN_ALIGNMENT_{x}_BYTES", 256) for x in "ABCD"]
        _refuse(any(x not in (1, 2, 4, 8, 16, 32, 64, 128, 256) for x in aligned), f"alignments {aligned}")
        size = 4 if wanted["REDUCTION_SCHEME_MASK"] else 0
        count = np.frombuffer((ctypes.c_char * 4).from_address(return_algo_count), np.int32)
        none = (d.type == 1 and epilogue != self.Epilogue.DEFAULT) or self.declines(operation, a, b, d)
        if none:
            raise cuBLASLtError("CUBLAS_STATUS_NOT_SUPPORTED")
        count[...] = 1
        number = len(self._algorithms) + 1
        self._algorithms[number] = (operation.facts(), [x.facts() for x in layouts], aligned, size)
        struct = (ctypes.c_uint64 * 1).from_address(heuristic_results_array)
        struct[0] = number

    # ------------------------------------------------------------------ computing

    def _matmul(
        self, light_handle: int, compute_desc: int, alpha: int, a: int, adesc: int, b: int, bdesc: int, beta: int,
        c: int, cdesc: int, d: int, ddesc: int, algo: int, workspace: int, workspace_size_in_bytes: int, stream: int,
    ) -> None:  # fmt: skip
        _refuse(self._living.get(light_handle) != "handle", "no handle")
        operation = self._get(compute_desc, Operation)
        layouts = [self._get(x, Layout) for x in (adesc, bdesc, cdesc, ddesc)]
        planned, matrices, aligned, needed = self._algorithms[ctypes.c_uint64.from_address(algo).value]
        _refuse(planned != operation.facts(), "an algorithm chosen for another operation")
        _refuse(matrices != [x.facts() for x in layouts], "an algorithm chosen for other matrices")
        for address, promised in zip((a, b, c, d), aligned, strict=True):
            _refuse(bool(address % promised), f"{address:#x} is not aligned to {promised} bytes as was promised")
        scale = DTYPES[operation.scale]
        one, zero = (np.frombuffer(ctypes.string_at(x, scale.itemsize), scale)[0] for x in (alpha, beta))
        assert (one, zero) == (1, 0) and c == d
        _refuse(stream != strict.cuda.get_current_stream().ptr, "another stream than the current one")
        _refuse(bool(workspace % 16) or workspace_size_in_bytes < needed, "workspace")
        spans = [(x, layout.bytes()) for x, layout in zip((a, b, d), (*layouts[:2], layouts[3]), strict=True)]
        spans.append((workspace, workspace_size_in_bytes))
        epilogue = self.Epilogue(operation.set.get("EPILOGUE", 1)).name
        bias = None
        if epilogue.endswith("BIAS"):
            pointer, dtype = operation.set["BIAS_POINTER"], DTYPES[layouts[3].type]
            _refuse(bool(pointer % 16), "bias not aligned")
            spans.append((pointer, layouts[3].rows * dtype.itemsize))
            bias = Layout(layouts[3].type, layouts[3].rows, 1, layouts[3].rows), pointer
        held = owners_of(*spans)
        types = [DTYPES[layouts[i].type] for i in (0, 1, 3)] + [np.dtype(np.uint8)] + [DTYPES[layouts[3].type]]
        for x, dtype in zip(held, types, strict=False):
            _refuse(x.dtype != dtype, f"memory of {x.dtype} read as {dtype}")
        left, right, out = (layout.view(x) for layout, x in zip((*layouts[:2], layouts[3]), (a, b, d), strict=True))
        ways, tf32 = (
            (operation.set.get("TRANSA", 0), operation.set.get("TRANSB", 0)),
            operation.compute.endswith("TF32"),
        )
        hosts = [x._host for x in held]

        def compute() -> None:
            assert hosts  # what keeps the memory at those addresses
            wide = np.float64 if operation.scale == 1 else np.float32
            x, y = left.astype(wide), right.astype(wide)
            x, y = x.swapaxes(1, 2) if ways[0] else x, y.swapaxes(1, 2) if ways[1] else y
            if tf32:
                x, y = _to_tf32(x), _to_tf32(y)
            with np.errstate(all="ignore"):
                z = x @ y
                if bias is not None:
                    z = z + bias[0].view(bias[1]).astype(wide)
                if epilogue.startswith("RELU"):
                    z = np.fmax(z, 0)  # as fmaxf: a nan becomes 0
                if epilogue.startswith("GELU"):
                    z = 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
                out[...] = z.astype(out.dtype)

        self.products.append(
            SimpleNamespace(compute=operation.compute, ways=ways, epilogue=epilogue, layouts=layouts, pointers=(a, b))
        )
        if state.recording is None:
            compute()
        else:
            state.recording.add_launch(compute, hosts)


def _to_tf32(x: np.ndarray) -> np.ndarray:
    """Round to 10 bits of mantissa."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


class FakeCublas:
    """nvmath.bindings.cublas."""

    ComputeType, Operation = (
        enum.IntEnum(name, RECORDED["enumerations"][name]) for name in ("ComputeType", "Operation")
    )


def bindings() -> Any:
    """For `as_cuda(kernels, bindings())`."""
    from minigrad.kernels.cuda.cublaslt import Bindings

    return Bindings(FakeCublasLt(), FakeCublas)
