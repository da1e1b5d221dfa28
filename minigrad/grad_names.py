"""The names of the graph's nodes as PyTorch prints them: `tensor(2.3026, grad_fn=<NllLossBackward0>)`.

Books and notebooks are full of them, and a reader who compares should find the same. Most follow from the op's name:
`exp` gives ExpBackward0. Where they do not, `NAMES` says what an op is called, as a name or as a function of its node,
and a function that is made of several ops gives the last one its own name with `named`.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def named(y: Any, name: str) -> Any:
    """`y`, a fresh result, whose node is printed under `name`."""
    if y.node is not None and y.node.op is not None:
        y.node.label = name
    return y


def name_of(node: Any) -> str:
    """The name of a node: AddBackward0, or AccumulateGrad for a leaf's."""
    op = node.op
    if op is None:
        return "torch::autograd::AccumulateGrad"
    name = node.label or op.label or name_of_op(op)
    return name if isinstance(name, str) else name(node)


def name_of_op(op: Any) -> Any:
    """What the nodes of an op are called: a name, or a function of the node."""
    return NAMES.get(op.name) or f"{_camel_case(op.name)}Backward0"


def dressed(node: Any) -> Any:
    """The node, as an object of a class that bears its name: programs print `type(y.grad_fn).__name__`."""
    if node is not None:
        kind = type(node)
        name = name_of(node).removeprefix("torch::autograd::")
        node.__class__ = _class_named(name, kind.__base__ if kind.__module__ == __name__ else kind)
    return node


@functools.cache
def _class_named(name: str, plain: type) -> type:
    return type(name, (plain,), {"__slots__": (), "__module__": __name__})


def _camel_case(name: str) -> str:
    return name.title().replace("_", "")


def _of_reduction(name: str) -> Callable[[Any], str]:
    """A reduction over some dims is another overload than that over all."""
    return lambda node: f"{name}Backward{0 if (node.kept or {}).get('axis') is None else 1}"


def _of_power(node: Any) -> str:
    base, exponent = ((node.kept or {}).get(name, 0.0) for name in ("a", "b"))
    if not isinstance(exponent, np.ndarray):  # a number, or freed by a backward
        return "PowBackward0"
    return "PowBackward1" if isinstance(base, np.ndarray) else "PowBackward2"


def _of_linear(node: Any) -> str:
    biased = len(node.parents) > 2 and node.parents[2] is not None
    if len(node.shape) == 2:
        return "AddmmBackward0" if biased else "MmBackward0"
    return "ViewBackward0" if biased else "UnsafeViewBackward0"


def _of_getitem(node: Any) -> str:
    """PyTorch reads index by index: the last that did something names the node."""
    if node.kept is None:  # freed by a backward, as only arrays are
        return "IndexBackward0"
    name, axis, shape = "SliceBackward0", 0, node.kept["x_shape"]
    for part in node.kept["index"]:
        if part is None:
            name = "UnsqueezeBackward0"
        elif part is Ellipsis:
            axis += len(shape) - sum(p is not None and p is not Ellipsis for p in node.kept["index"])
        elif isinstance(part, slice):
            name = name if part.indices(shape[axis]) == (0, shape[axis], 1) else "SliceBackward0"
            axis += 1
        elif isinstance(part, int):
            name, axis = "SelectBackward0", axis + 1
        else:
            return "IndexBackward0"
    return "AliasBackward0" if node.kept["index"] == (Ellipsis,) else name


def _of_index_write(node: Any) -> str:
    """A write through a view, or through arrays; what was kept of the latter is freed by a backward."""
    index = (node.kept or {}).get("index", ())
    through_arrays = node.kept is None or any(isinstance(part, (list, np.ndarray)) for part in index)
    return "IndexPutBackward0" if through_arrays else "CopySlices"


_FLASH = "ScaledDotProductFlashAttentionForCpuBackward0"
NAMES: dict[str, str | Callable[[Any], str]] = {
    "along_axis": "GatherBackward0",
    "amax": "AmaxBackward0",
    "attention": lambda node: _FLASH if len(node.shape) == 4 else "UnsafeViewBackward0",
    "batch_norm": "NativeBatchNormBackward0",
    "cast_to": "ToCopyBackward0",
    "cat_arrays": "CatBackward0",
    "cholesky": "LinalgCholeskyExBackward0",
    "clamp": "ClampBackward1",
    "conv2d": "ConvolutionBackward0",
    "conv_transpose2d": "ConvolutionBackward0",
    "det": "LinalgDetBackward0",
    "dropout": "MulBackward0",
    "eigh": "LinalgEighBackward0",
    "eigvalsh": "LinalgEighBackward0",
    "expand_to": "ExpandBackward0",
    "getitem": _of_getitem,
    "imag": "SelectBackward0",
    "index_write": _of_index_write,
    "inv": "LinalgInvExBackward0",
    "last_diagonal": "DiagonalBackward0",
    "layer_norm": "NativeLayerNormBackward0",
    "linear": _of_linear,
    "logabsdet": "LinalgSlogdetBackward0",
    "logsigmoid": "LogSigmoidBackward0",
    "matmul": lambda node: "MmBackward0" if len(node.shape) == 2 else "UnsafeViewBackward0",
    "max_pool2d": "MaxPool2DWithIndicesBackward0",
    "mean": _of_reduction("Mean"),
    "pad": "ConstantPadNdBackward0",
    "pinv": "LinalgPinvBackward0",
    "power": _of_power,
    "prelu": "PreluKernelBackward0",
    "prod": _of_reduction("Prod"),
    "real": "SelectBackward0",
    "reshape": "ViewBackward0",
    "rms_norm": "MulBackward0",
    "roll_by": "RollBackward0",
    "scatter_plus": "ScatterAddBackward0",
    "scatter_write": "ScatterBackward0",
    "solve": "LinalgSolveExBackward0",
    "square": "PowBackward0",
    "stack_arrays": "StackBackward0",
    "sum": _of_reduction("Sum"),
    "svd": "LinalgSvdBackward0",
    "svdvals": "LinalgSvdBackward0",
    "swapaxes": "TransposeBackward0",
    "two_norm": "LinalgVectorNormBackward0",
    "where": "WhereBackward0",
    "with_parts": "ComplexBackward0",
}
