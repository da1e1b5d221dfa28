"""The product a @ b (+ bias, activation) by cuBLASLt, through nvmath-python's bindings, on a handle of our own.

CuPy's products refuse to be captured in a CUDA graph, copy the transposed operands of a batch, widen float16 there and
refuse bfloat16. These do none of it: everything is enqueued on the current stream, and nothing waits for the device.

cuBLASLt knows matrices by columns, our arrays lie by rows. A row-major (n, m) array is, number for number in memory,
the column-major (m, n) matrix that is its transpose. So what is asked for is y^T = b^T a^T:

    cuBLASLt's A is our b,  its B is our a,  its D is our y;  its bias runs down the m rows of D: along our last axis

No number is moved, the operands only change places. A transposed view has the memory of the other order, for which
there is a flag (T); a view with steps between its rows has a leading dimension. What is neither is copied first.

Describing a product and asking which algorithm to take costs more than a small product, so it is done once for each
`Problem` and kept as a `Plan`.
"""

import functools
import importlib
import math
import threading
import warnings
import weakref
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from minigrad.backend import array_module
from minigrad.kernels import common
from minigrad.kernels.cuda import graph

WORKSPACE = 32 << 20  # bytes, NVIDIA's advice for Hopper; for sums over k in parts, which are added afterwards
MOST_WORKSPACES, MOST_PLANS = 8, 4096
MOST_ALIGNED = 256  # bytes: what CuPy's pool gives, and the most that cuBLASLt makes use of
BIAS_ALIGNED = 16
_TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}  # cudaDataType, of library_types.h
_ACTIVATIONS = {None: "", "relu": "RELU", "gelu": "GELU"}
_ONE, _ZERO = ({name: np.full(1, value, name) for name in ("float32", "float64")} for value in (1, 0))


class Bindings(NamedTuple):
    """nvmath.bindings.cublasLt and nvmath.bindings.cublas."""

    lt: Any
    cublas: Any


class Lying(NamedTuple):
    """How an operand's matrices lie in memory: by rows or, transposed, by columns; steps are counted in entries."""

    transposed: bool
    line: int  # from one row (column) to the next
    matrix: int  # from one matrix to the next; 0 where one serves all


class Problem(NamedTuple):
    """All that a plan depends on: `batch` products (n, k) @ (k, m)."""

    dtype: str
    tf32: bool
    batch: int
    n: int
    m: int
    k: int
    a: Lying
    b: Lying
    epilogue: str
    aligned: tuple[int, int, int]  # a, b, y: bytes


@functools.cache
def _found() -> tuple[Bindings | None, str]:
    try:
        lt, cublas = (importlib.import_module(f"nvmath.bindings.{name}") for name in ("cublasLt", "cublas"))
        lt.get_version()  # loads the library, and the driver's
    except Exception as error:  # nvmath's own kinds, and whatever a half-installed package raises
        return None, f"{type(error).__name__}: {error}".partition("\n")[0]
    return Bindings(lt, cublas), ""


def bindings() -> Bindings | None:
    """nvmath's bindings; None where they are not installed or do not work, for which `why_not` has the reason."""
    return _found()[0]


def why_not() -> str:
    return _found()[1]


def product(a: Any, b: Any, bias: Any = None, activation: str | None = None, tf32: bool = False) -> Any:
    """activation(a @ b + bias): (..., n, k) @ (..., k, m) -> (..., n, m), leading axes broadcast; bias (m,) or None.

    float64, float32, float16 and bfloat16; 16-bit numbers are multiplied and added in float32 and rounded once.
    `tf32` lets float32 operands be rounded to 10 bits of mantissa on their way into the tensor cores.

    `activation` "relu" is max(x, 0), where cuBLASLt does not say what becomes of a nan; "gelu" is the tanh form,
    x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as cuBLASLt has no other. It stands for
    `F.gelu(x, approximate="tanh")` alone: the exact one is a kernel of ours.

    None for what cuBLASLt does not take (another dtype, shapes that do not fit) or has no algorithm for.
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"product: activation must be 'relu', 'gelu' or None, got {activation!r}")
    library = bindings()
    if library is None or not _fits(a, b, bias):
        return None
    xp, (n, k), m = array_module(a), a.shape[-2:], b.shape[-1]
    lead = xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = xp.empty((*lead, n, m), a.dtype)
    if not y.size:
        return y
    if not k:
        y.fill(0)
        return _finished(y, bias, activation)
    if bias is not None:
        bias = _bias(bias, a.dtype)
    count, wide = math.prod(lead), a.dtype == "float64"
    a, a_lies, folded = _laid_out(a, lead, fold=math.prod(b.shape[:-2]) == 1)
    b, b_lies, _ = _laid_out(b, lead)
    if folded:  # one matrix b for all: the rows of all matrices a follow one another
        count, n = 1, count * n
    epilogue = "" if wide else _ACTIVATIONS[activation] + ("_BIAS" if bias is not None else "")
    aligned = _aligned(a), _aligned(b), _aligned(y)
    device = _device(library, a.device.id)
    for asked in dict.fromkeys((epilogue.strip("_"), "")):
        problem = Problem(a.dtype.name, tf32 and a.dtype == "float32", count, n, m, k, a_lies, b_lies, asked, aligned)
        if device.compute(problem, a, b, bias, y):
            return y if asked or not (epilogue or wide) else _finished(y, bias, activation)
    return None


def _fits(a: Any, b: Any, bias: Any) -> bool:
    return (
        min(a.ndim, b.ndim) >= 2
        and a.dtype == b.dtype
        and a.dtype.name in _TYPES
        and a.shape[-1] == b.shape[-2]
        and (bias is None or (bias.shape == b.shape[-1:] and bias.dtype.name in _TYPES))
    )


def _bias(bias: Any, dtype: Any) -> Any:
    bias = array_module(bias).ascontiguousarray(bias.astype(dtype, copy=False))
    return bias if bias.data.ptr % BIAS_ALIGNED == 0 else bias.copy()


def _finished(y: Any, bias: Any, activation: str | None) -> Any:
    """Bias and activation where no epilogue has brought them."""
    if bias is not None:
        y += bias.astype(y.dtype, copy=False)
    if activation == "relu":
        return common.relu(y)
    if activation == "gelu":
        xp = array_module(y)
        x = y.astype("float64" if y.dtype == "float64" else "float32", copy=False)
        return (0.5 * x * (1 + xp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))).astype(y.dtype)
    return y


# ---------------------------------------------------------------- how operands lie


def _laid_out(x: Any, lead: tuple[int, ...], fold: bool = False) -> tuple[Any, Lying, bool]:
    """(x or a copy, how it lies, whether its leading axes were folded into the rows): copied only if it has to be."""
    xp = array_module(x)
    shape = *lead, *x.shape[-2:]
    lies = _lying(x, lead, fold)
    if lies is None:
        x = xp.ascontiguousarray(x)
        lies = _lying(x, lead, fold)
    if lies is None:  # broadcast along some of its leading axes
        x = xp.ascontiguousarray(xp.broadcast_to(x, shape))
        lies = _lying(x, lead, fold)
    assert lies is not None  # contiguous memory lies by rows
    return (x, *lies)


def _lying(x: Any, lead: tuple[int, ...], fold: bool) -> tuple[Lying, bool] | None:
    size, (rows, columns) = x.dtype.itemsize, x.shape[-2:]
    if any(step % size or step < 0 for step in x.strides):
        return None
    *own, down, right = (step // size for step in x.strides)
    missing = len(lead) - len(own)
    steps = [0] * missing + [0 if n == 1 else step for n, step in zip(x.shape[:-2], own, strict=True)]
    by_rows = (columns == 1 or right == 1) and (rows == 1 or down >= columns)
    if fold and by_rows and math.prod(lead) > 1:
        line = _one_step((*lead, rows), (*steps, down))
        if line is not None and line >= columns:
            return Lying(False, line, 0), True
    matrix = _one_step(lead, steps)
    if matrix is None:
        return None
    if by_rows:
        return Lying(False, down if rows > 1 else columns, matrix), False
    if (rows == 1 or down == 1) and (columns == 1 or right >= rows):
        return Lying(True, right if columns > 1 else rows, matrix), False
    return None


def _one_step(shape: tuple[int, ...], steps: Any) -> int | None:
    """The step that leads through axes one after the other, as if they were one; None if there is none."""
    one, beyond = None, 0
    for n, step in zip(reversed(shape), reversed(steps), strict=True):
        if n == 1:
            continue
        if one is None:
            one = step
        elif step != beyond:
            return None
        beyond = step * n
    return one or 0


def _aligned(x: Any) -> int:
    address = x.data.ptr
    return min(address & -address, MOST_ALIGNED)


# ---------------------------------------------------------------- plans


class Plan:
    """A product described in cuBLASLt's terms, and the address of the algorithm chosen for it; 0: there is none."""

    def __init__(self, library: Bindings, handle: int, problem: Problem, bias: Any):
        lt, cublas = self._lt, _ = library
        self._made: list[tuple[Any, int]] = []  # what has to be destroyed, and by which function
        p, wide = problem, "float64" if problem.dtype == "float64" else "float32"
        self.alpha, self.beta = _ONE[wide].ctypes.data, _ZERO[wide].ctypes.data
        kind = "64F" if wide == "float64" else "32F_FAST_TF32" if p.tf32 else "32F"
        compute = getattr(cublas.ComputeType, f"COMPUTE_{kind}")
        self.operation = self._own(lt.matmul_desc_create(compute, _TYPES[wide]), lt.matmul_desc_destroy)
        ways = {False: cublas.Operation.N, True: cublas.Operation.T}
        self._describe("TRANSA", ways[p.b.transposed])
        self._describe("TRANSB", ways[p.a.transposed])
        self._describe("EPILOGUE", getattr(lt.Epilogue, p.epilogue or "DEFAULT"))
        self.takes_bias = p.epilogue.endswith("BIAS")
        if self.takes_bias:
            self.point_to(bias)
        self.a, self.b = self._layout(p, p.k, p.m, p.b), self._layout(p, p.n, p.k, p.a)
        self.d = self._layout(p, p.n, p.m, Lying(False, p.m, p.n * p.m))
        self._choose(handle, p)

    def _own(self, descriptor: int, destroy: Any) -> int:
        self._made.append((destroy, descriptor))
        return descriptor

    def _describe(self, name: str, value: int) -> None:
        lt, attribute = self._lt, getattr(self._lt.MatmulDescAttribute, name)
        given = np.array(value, lt.get_matmul_desc_attribute_dtype(attribute))
        lt.matmul_desc_set_attribute(self.operation, attribute, given.ctypes.data, given.nbytes)

    def point_to(self, bias: Any) -> None:
        self._describe("BIAS_POINTER", bias.data.ptr)

    def _layout(self, p: Problem, rows: int, columns: int, lies: Lying) -> int:
        """Of a row-major matrix: to cuBLASLt, its transpose."""
        lt = self._lt
        if lies.transposed:
            rows, columns = columns, rows
        made = self._own(lt.matrix_layout_create(_TYPES[p.dtype], columns, rows, lies.line), lt.matrix_layout_destroy)
        if p.batch > 1:
            for name, value in (("BATCH_COUNT", p.batch), ("STRIDED_BATCH_OFFSET", lies.matrix)):
                attribute = getattr(lt.MatrixLayoutAttribute, name)
                given = np.array(value, lt.get_matrix_layout_attribute_dtype(attribute))
                lt.matrix_layout_set_attribute(made, attribute, given.ctypes.data, given.nbytes)
        return made

    def _choose(self, handle: int, p: Problem) -> None:
        lt = self._lt
        preference = lt.matmul_preference_create()
        a, b, y = p.aligned
        # Sums over k in parts are kept in the type of the sum, never in two bytes; the workspace is where they lie.
        wanted = {"MAX_WORKSPACE_BYTES": WORKSPACE, "REDUCTION_SCHEME_MASK": lt.ReductionScheme.COMPUTE_TYPE,
                  "MIN_ALIGNMENT_A_BYTES": b, "MIN_ALIGNMENT_B_BYTES": a, "MIN_ALIGNMENT_C_BYTES": y,
                  "MIN_ALIGNMENT_D_BYTES": y}  # fmt: skip
        try:
            for name, value in wanted.items():
                attribute = getattr(lt.MatmulPreferenceAttribute, name)
                given = np.array(value, lt.get_matmul_preference_attribute_dtype(attribute))
                lt.matmul_preference_set_attribute(preference, attribute, given.ctypes.data, given.nbytes)
            self._result, count = lt.MatmulHeuristicResult(1), np.zeros(1, np.int32)
            lt.matmul_algo_get_heuristic(
                handle, self.operation, self.a, self.b, self.d, self.d, preference, 1, self._result.ptr,
                count.ctypes.data,
            )  # fmt: skip
            self.algorithm = self._result.ptr if count[0] and int(self._result.state) == 0 else 0  # its first member
        except lt.cuBLASLtError:  # it has none for this layout
            self.algorithm = 0
        finally:
            lt.matmul_preference_destroy(preference)

    def close(self) -> None:
        for destroy, descriptor in self._made:
            destroy(descriptor)
        self._made = []


class _Device:
    """Handle, plans and workspaces of a GPU. A workspace is of one stream, whose products run one after the other."""

    def __init__(self, library: Bindings):
        self._library = library
        try:
            self._handle = library.lt.create()
        except library.lt.cuBLASLtError as error:
            warnings.warn(f"cuBLASLt cannot be used, products go the way they go without it: {error}", stacklevel=4)
            self._handle = 0
        self._plans: OrderedDict[Problem, Plan] = OrderedDict()
        self._workspaces: OrderedDict[int, Any] = OrderedDict()
        self._of_graphs: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()  # a plan's bias pointer is set, then read

    def compute(self, problem: Problem, a: Any, b: Any, bias: Any, y: Any) -> bool:
        """Enqueue the product; False if there is no algorithm for it."""
        xp, lt = array_module(a), self._library.lt
        stream = xp.cuda.get_current_stream().ptr
        with self._lock:
            plan = self._plan(problem, bias) if self._handle else None
            if plan is None or not plan.algorithm:
                return False
            if plan.takes_bias:
                plan.point_to(bias)
            workspace, out = self._workspace(xp, stream), y.data.ptr
            lt.matmul(
                self._handle, plan.operation, plan.alpha, b.data.ptr, plan.a, a.data.ptr, plan.b, plan.beta, out,
                plan.d, out, plan.d, plan.algorithm, workspace.data.ptr, WORKSPACE, stream,
            )  # fmt: skip
        return True

    def _plan(self, problem: Problem, bias: Any) -> Plan:
        plan = self._plans.get(problem)
        if plan is None:
            plan = self._plans[problem] = Plan(self._library, self._handle, problem, bias)
            if len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)[1].close()
        else:
            self._plans.move_to_end(problem)
        return plan

    def _workspace(self, xp: Any, stream: int) -> Any:
        recording = graph.recording
        if recording is not None and stream not in self._workspaces:  # taken from the graph's memory, dies with it
            if recording not in self._of_graphs:
                self._of_graphs[recording] = xp.empty(WORKSPACE, "uint8")
            return self._of_graphs[recording]
        if stream not in self._workspaces:
            self._workspaces[stream] = xp.empty(WORKSPACE, "uint8")
            if len(self._workspaces) > MOST_WORKSPACES:
                self._workspaces.popitem(last=False)
        self._workspaces.move_to_end(stream)
        workspace = self._workspaces[stream]
        return workspace if recording is None else recording.keep(workspace)


@functools.cache
def _device(library: Bindings, index: int) -> _Device:
    return _Device(library)
