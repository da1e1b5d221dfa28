"""What PyTorch calls the step of a graph: `grad_fn=<AddmmBackward0>`, for tensors that are printed.

Where one op here is several there, what the node kept, or the shape of its result, tells which it was. Where several
ops here are one there (most losses), the name is that of the last op.
"""

from collections.abc import Callable
from typing import Any

_NAMES = {  # op: PyTorch's name without "Backward0"
    "cast_to": "ToCopy", "cat_arrays": "Cat", "conv2d": "Convolution", "cross_entropy": "NllLoss",
    "expand_to": "Expand", "last_diagonal": "Diagonal", "layer_norm": "NativeLayerNorm",
    "max_pool2d": "MaxPool2DWithIndices", "pad": "ConstantPadNd", "prelu": "PreluKernel", "square": "Pow",
    "stack_arrays": "Stack", "swapaxes": "Transpose", "two_norm": "LinalgVectorNorm",
}  # fmt: skip


def backward_name(node: Any) -> str:
    """The name, from the op and what the node knows."""
    op = node.op
    if own := getattr(op, "backward_name", None):
        return own
    name = _CHOICES[op.name](node) if op.name in _CHOICES else _NAMES.get(op.name, _camel_case(op.name))
    return name if "Backward" in name else f"{name}Backward0"


def _camel_case(op_name: str) -> str:
    return op_name.title().replace("_", "")


def _kept(node: Any, name: str) -> Any:
    return (node.kept or {}).get(name)  # nothing is left after a backward


def _parent_op(node: Any) -> str:
    parent = node.parents[0]
    return "" if parent is None or parent.op is None else parent.op.name


def _of_index(node: Any) -> str:
    """The last part of the index that does something: a number, a None, a slice, or an array for all."""
    name = "Slice"
    for part in _kept(node, "index") or ():
        if isinstance(part, int):
            name = "Select"
        elif part is None:
            name = "Unsqueeze"
        elif isinstance(part, slice):
            name = name if part == slice(None) else "Slice"
        elif part is not Ellipsis:
            return "Index"
    return name


def _of_reduction(name: str) -> Callable[[Any], str]:
    def choose(node: Any) -> str:
        if _parent_op(node) == "cross_entropy":
            return "NllLoss"
        return name if _kept(node, "axis") is None and not node.shape else f"{name}Backward1"

    return choose


def _of_power(node: Any) -> str:
    base, exponent = node.parents
    return "PowBackward2" if base is None else "Pow" if exponent is None else "PowBackward1"


def _of_product(node: Any) -> str:
    return {2: "Mm", 3: "Bmm"}.get(len(node.shape), "UnsafeView")


def _of_reshape(node: Any) -> str:
    if _parent_op(node) == "matmul":
        return "Mv" if node.shape else "Dot"
    if _parent_op(node) == "batch_norm":
        return "NativeBatchNorm"
    before, after = tuple(_kept(node, "x_shape") or ()), tuple(node.shape)
    if [n for n in before if n != 1] == [n for n in after if n != 1]:
        return "Unsqueeze" if len(after) > len(before) else "Squeeze" if len(after) < len(before) else "View"
    return "View"


_CHOICES: dict[str, Callable[[Any], str]] = {
    "clamp": lambda node: "ClampBackward1",
    "getitem": _of_index,
    "linear": lambda node: "View" if len(node.shape) > 2 else "Mm" if node.parents[2] is None else "Addmm",
    "matmul": _of_product,
    "mean": _of_reduction("Mean"),
    "power": _of_power,
    "reshape": _of_reshape,
    "sum": _of_reduction("Sum"),
}
