"""A stand-in for the Python frontend of cuDNN (module `cudnn`), as far as attention uses it, on strict_cupy's memory.

Names and arguments are the real ones' (recorded/cudnn_names.json, by scripts/record_cudnn_names.py). The graph that is
described is executed by NumPy on the addresses it is given; while a stream captures, that is written down instead.
Refused: steps out of order, a change of a graph that is planned, tensors without a buffer, addresses off by less than
16 bytes, a handle that is not on the current stream, anything but `execute` and `set_stream` while a stream captures.
"""

import ctypes
import enum
import json
from pathlib import Path
from typing import Any

import numpy as np
from strict_cupy import cuda, living
from strict_modes import state

NAMES = json.loads((Path(__file__).parent / "recorded" / "cudnn_names.json").read_text(encoding="utf-8"))
DTYPES = {"HALF": "float16", "BFLOAT16": "bfloat16", "FLOAT": "float32"}
BYTES = 4096  # of workspace


class cudnnGraphNotSupportedError(Exception):
    pass


def _not_captured(what: str) -> None:
    if state.recording is not None:
        raise AssertionError(f"{what} while a stream captures")


def _check(where: str, names: list[str], given: Any) -> None:
    unknown = [name for name in given if name not in names]
    assert not unknown, f"{where} takes no {', '.join(unknown)}"


class Tensor:
    def __init__(self, graph: "Pygraph", name: str, dim: Any = None, stride: Any = None, data_type: Any = None,
                 uid: Any = None, output: bool = False):  # fmt: skip
        self.graph, self.name, self.dim, self.stride = graph, name, dim, stride
        self.data_type, self.uid, self.output, self.is_input = data_type, uid, output, not output and dim is not None

    def _set(self, name: str, value: Any) -> "Tensor":
        assert not self.graph.planned, "the graph is frozen"
        setattr(self, name, value)
        return self

    def set_output(self, value: bool) -> "Tensor":
        return self._set("output", value)

    def set_dim(self, dim: list[int]) -> "Tensor":
        return self._set("dim", dim)

    def set_stride(self, stride: list[int]) -> "Tensor":
        return self._set("stride", stride)

    def set_data_type(self, dtype: Any) -> "Tensor":
        return self._set("data_type", dtype)

    def set_uid(self, uid: int) -> "Tensor":
        return self._set("uid", uid)

    def read(self, address: int) -> np.ndarray:
        """The array at an address."""
        assert type(address) is int and address % 16 == 0, f"{self.name}: not aligned"
        dtype = np.dtype(DTYPES[self.data_type.name])
        entries = 1 + sum((n - 1) * s for n, s in zip(self.dim, self.stride, strict=True))
        memory = np.frombuffer((ctypes.c_char * (entries * dtype.itemsize)).from_address(address), dtype)
        strides = [s * dtype.itemsize for s in self.stride]
        return np.lib.stride_tricks.as_strided(memory, self.dim, strides)


class Handle:
    def __init__(self) -> None:
        self.stream = 0


class Pygraph:
    """`cudnn.pygraph`. Its plans: an engine in Python, one of the library that cannot be built, one that can."""

    def __init__(self, cudnn: "Cudnn", **options: Any):
        _not_captured("a graph was made")
        _check("pygraph", NAMES["pygraph"]["__init__"], options)
        assert isinstance(options["handle"], Handle)
        self.cudnn, self.short = cudnn, options["io_data_type"]
        assert options["intermediate_data_type"] is options["compute_data_type"] is cudnn.data_type.FLOAT
        self.tensors: list[Tensor] = []
        self.stage, self.planned, self.index = "described", False, 0

    def _step(self, name: str, after: str, then: str) -> None:
        _not_captured(name)
        assert self.stage == after, f"{name} after {self.stage}"
        self.stage = then

    def tensor(self, **options: Any) -> Tensor:
        _check("tensor", NAMES["pygraph"]["tensor"], options)
        assert len(options["dim"]) == len(options["stride"]) == 4 and type(options["dim"]) is list
        self.tensors.append(Tensor(self, **options))
        return self.tensors[-1]

    def sdpa(self, **options: Any) -> list[Tensor]:
        assert options["generate_stats"] is True
        return self._op("sdpa", options, ["o", "stats"])

    def sdpa_backward(self, **options: Any) -> list[Tensor]:
        assert options["use_deterministic_algorithm"] is True
        return self._op("sdpa_backward", options, ["dQ", "dK", "dV"])

    def _op(self, kind: str, options: dict[str, Any], outputs: list[str]) -> list[Tensor]:
        _check(kind, NAMES["ops"][kind], options)
        self.kind, self.given = kind, {n: t for n, t in options.items() if isinstance(t, Tensor)}
        self.scale = options["attn_scale"]
        alignment = options.get("diagonal_alignment", self.cudnn.diagonal_alignment.TOP_LEFT)
        assert alignment is self.cudnn.diagonal_alignment.TOP_LEFT
        self.band = options.get("diagonal_band_right_bound")
        self.made = [Tensor(self, name) for name in outputs]
        self.tensors += self.made
        return self.made

    def validate(self) -> None:
        self._step("validate", "described", "valid")
        if self.given["q"].dim[-1] % 8:
            raise cudnnGraphNotSupportedError("hidden_dim should be multiple of 8")
        if self.given["q"].dim[-2] in self.cudnn.refuses:
            raise cudnnGraphNotSupportedError("no plan")
        if self.given["q"].dim[-2] in self.cudnn.fails:
            raise TypeError("sdpa() got an unexpected keyword")
        for tensor in self.tensors:
            assert tensor.output or tensor.is_input, tensor.name
            assert min(tensor.stride) > 0 and tensor.stride[-1] == 1
            assert type(tensor.dim) is type(tensor.stride) is list and type(tensor.uid) is int
            is_float = tensor.name == "stats"
            assert tensor.data_type is (self.cudnn.data_type.FLOAT if is_float else self.short)
        assert len({tensor.uid for tensor in self.tensors}) == len(self.tensors)

    def build_operation_graph(self) -> None:
        self._step("build_operation_graph", "valid", "operations")

    def create_execution_plans(self, heuristics: list) -> None:
        self._step("create_execution_plans", "operations", "planned")
        assert heuristics == [self.cudnn.heur_mode.A, self.cudnn.heur_mode.FALLBACK]
        self.planned = True
        if self.cudnn.newer:
            self.plans = ["python", "refused", "good"]

    def select_plan(self, index: int) -> "Pygraph":
        _not_captured("select_plan")
        assert self.planned and self.cudnn.newer
        self.index, self.stage = index, "planned"
        return self

    @property
    def selected_engine(self) -> str | None:
        return "sdpa_fwd_prefill_sm90" if self.plans[self.index] == "python" else None

    def check_support(self) -> None:
        self._step("check_support", "planned", "supported")
        if self.cudnn.newer and self.plans[self.index] == "refused":
            self.stage = "planned"
            raise cudnnGraphNotSupportedError("this plan cannot be built")

    def build_plans(self) -> None:
        self._step("build_plans", "supported", "built")
        self.cudnn.built.append(self.kind)

    def get_workspace_size(self) -> int:
        assert self.stage == "built"
        return BYTES

    def execute(self, tensor_dict: dict[int, int], workspace: int, handle: Handle) -> None:
        assert not self.cudnn.newer or self.plans[self.index] == "good", "an engine in Python compiles when it is run"
        assert self.stage == "built" and type(workspace) is int and workspace % 16 == 0
        assert handle.stream == cuda.get_current_stream().ptr, "the handle is on another stream"
        assert set(tensor_dict) == {tensor.uid for tensor in self.tensors}
        inputs = {name: t.read(tensor_dict[t.uid]) for name, t in self.given.items()}
        outputs = [t.read(tensor_dict[t.uid]) for t in self.made]
        space = (ctypes.c_char * BYTES).from_address(workspace)

        def launch() -> None:
            space[:] = b"\x7f" * BYTES  # type: ignore[assignment]
            compute = _forward if self.kind == "sdpa" else _backward
            for output, value in zip(outputs, compute(inputs, self.scale, self.band), strict=True):
                output[...] = value

        self.cudnn.executed.append(self.kind)
        if state.recording is None:
            launch()
        else:
            state.recording.add_launch(launch, _owners([*tensor_dict.values(), workspace]))


def _owners(addresses: list[int]) -> list[np.ndarray]:
    """The arrays of the stand-in that lie at these addresses."""
    arrays = [x._host for x in living()]
    found = {a: [x for x in arrays if x.ctypes.data <= a < x.ctypes.data + max(x.nbytes, 1)] for a in addresses}
    assert all(found.values()), "an address of memory that nobody has"
    return [some[0] for some in found.values()]


def _probabilities(inputs: dict[str, np.ndarray], scale: float, band: int | None) -> tuple[np.ndarray, np.ndarray]:
    q, k = (inputs[name].astype(np.float64) for name in "qk")
    scores = scale * q @ k.swapaxes(-1, -2)
    if band is not None:
        i, j = np.ogrid[: scores.shape[-2], : scores.shape[-1]]
        scores = np.where(j - i <= band, scores, -np.inf)
    top = scores.max(-1, keepdims=True)
    lse = top + np.log(np.exp(scores - top).sum(-1, keepdims=True))
    return scores, lse


def _forward(inputs: dict[str, np.ndarray], scale: float, band: int | None) -> list[np.ndarray]:
    scores, lse = _probabilities(inputs, scale, band)
    return [np.exp(scores - lse) @ inputs["v"].astype(np.float64), lse]


def _backward(inputs: dict[str, np.ndarray], scale: float, band: int | None) -> list[np.ndarray]:
    q, k, v, o, dy = (inputs[name].astype(np.float64) for name in ("q", "k", "v", "o", "dO"))
    scores, _ = _probabilities(inputs, scale, band)
    p = np.exp(scores - inputs["stats"].astype(np.float64))
    ds = p * (dy @ v.swapaxes(-1, -2) - (dy * o).sum(-1, keepdims=True))
    return [scale * ds @ k, scale * ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dy]


class Cudnn:
    """The module. `refuses`, `fails`: lengths of q that it declines, or whose description raises another error."""

    cudnnGraphNotSupportedError = cudnnGraphNotSupportedError

    def __init__(self, newer: bool = True, refuses: tuple = (), fails: tuple = ()):
        self.newer, self.refuses, self.fails = newer, refuses, fails
        self.built: list[str] = []
        self.executed: list[str] = []
        for name, members in NAMES["enumerations"].items():
            setattr(self, name, enum.Enum(name, members))

    def pygraph(self, **options: Any) -> Pygraph:
        return Pygraph(self, **options)

    def create_handle(self) -> Handle:
        _not_captured("create_handle")
        return Handle()

    def set_stream(self, *, handle: Handle, stream: int) -> None:
        assert type(stream) is int
        handle.stream = stream
