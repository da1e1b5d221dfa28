"""What a model costs, layer by layer: parameters, shapes, FLOPs, memory."""

from dataclasses import dataclass
from typing import Any

from minigrad import autograd
from minigrad.nn.module import Module
from minigrad.tensor import Tensor
from minigrad.viz.flops import flops_of
from minigrad.viz.watching import example_inputs, in_eval_mode, tensors_in, watching


@dataclass
class Row:
    """One call of one module; a layer that is called twice has two rows."""

    name: str  # dotted, "" for the model itself
    kind: str
    depth: int
    leaf: bool  # a module without modules inside
    input_shape: tuple[int, ...] | None
    output_shape: tuple[int, ...] | None  # of the first tensor that it returns
    parameters: int  # its own and those of the modules inside
    trainable: int
    flops: int  # of this call, modules inside included
    memory: int  # bytes of what it returns


class Summary:
    """`rows`, and totals: parameters (shared ones once), FLOPs, bytes of parameters and buffers, and of the outputs of
    the layers, which is about what a training step keeps. `str()` is a table.
    """

    def __init__(self, rows: list[Row], model: Module):
        self.rows = rows
        self.parameters = rows[0].parameters
        self.trainable = rows[0].trainable
        self.flops = rows[0].flops
        tensors = {id(x): x for x in (*model.parameters(), *model.buffers())}.values()
        self.weight_memory = sum(x.numel() * x.element_size() for x in tensors)
        self.activation_memory = sum(row.memory for row in rows if row.leaf)

    def __str__(self) -> str:
        table = [("layer", "output", "parameters", "FLOPs", "memory")]
        above = [""]  # the names of the modules around
        for row in self.rows:
            above[row.depth + 1 :] = [f"{row.name}."]
            inner = row.name.removeprefix(above[row.depth]) if row.depth > 1 else row.name
            name = "  " * row.depth + (f"{inner} ({row.kind})" if row.name else row.kind)
            shape = "" if row.output_shape is None else str(row.output_shape)
            table.append((name, shape, f"{row.parameters:,}", _scaled(row.flops), _bytes(row.memory)))
        widths = [max(len(line[i]) for line in table) for i in range(5)]

        def text(line: tuple[str, ...]) -> str:
            left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
            return "  ".join(left + right).rstrip()

        rule = "-" * (sum(widths) + 8)
        frozen = f", {self.parameters - self.trainable:,} frozen" if self.trainable < self.parameters else ""
        lines = [text(table[0]), rule, *map(text, table[1:]), rule]
        lines.append(f"parameters {self.parameters:,}{frozen} ({_bytes(self.weight_memory)} with buffers)")
        lines.append(f"FLOPs {_scaled(self.flops)}, forward, two for a multiply-add")
        lines.append(f"outputs of the layers {_bytes(self.activation_memory)}")
        return "\n".join(lines)

    __repr__ = __str__


def summary(model: Module, shape: Any, dtype: Any = None) -> Summary:
    """Run the model once, in eval mode and without gradients, and note what each layer takes and gives.

    `shape` is that of the input, batch axis included; or a Tensor, or a list of either for several inputs. Integers go
    in where the first layer is an embedding; else give `dtype`. What the model raises for a wrong shape goes through.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary looks into a Module, got {type(model).__name__}")
    inputs = example_inputs(model, shape, dtype)
    names = {module: name for name, module in model.named_modules()}
    rows: list[Row] = []
    running: list[Row] = []  # the calls that have begun and not ended, outermost first

    def begin(module: Module, args: tuple) -> None:
        own = {id(p): p for p in module.parameters()}.values()
        first = _first_tensor(args)
        row = Row(
            names[module], type(module).__name__, len(running), not module._modules,
            None if first is None else tuple(first.shape), None, sum(p.numel() for p in own),
            sum(p.numel() for p in own if p.requires_grad), 0, 0,
        )  # fmt: skip
        rows.append(row)
        running.append(row)

    def end(module: Module, args: tuple, output: Any) -> None:
        row, out = running.pop(), _first_tensor(output)
        row.output_shape = None if out is None else tuple(out.shape)
        row.memory = sum(x.numel() * x.element_size() for x in tensors_in(output))

    def count(*call: Any) -> None:
        flops = flops_of(*call)
        for row in running:
            row.flops += flops

    handles = [module.register_forward_pre_hook(begin) for module in names]
    handles += [module.register_forward_hook(end) for module in names]
    try:
        with in_eval_mode(model), autograd.no_grad(), watching(count):
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return Summary(rows, model)


def _first_tensor(value: Any) -> Tensor | None:
    return next(iter(tensors_in(value)), None)


def _scaled(n: float) -> str:
    for unit in ("", "k", "M", "G"):
        if n < 1000:
            return f"{n:.4g}{unit}"
        n /= 1000
    return f"{n:,.4g}T"


def _bytes(n: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.4g} {unit}"
        n /= 1024
    return f"{n:,.4g} GiB"
