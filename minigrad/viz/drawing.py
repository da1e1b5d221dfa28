"""Drawings of models and of graphs: Mermaid text, Graphviz text, SVG. The shapes stand on the edges.

Both kinds are read off the nodes that `backward` would walk. For a model, the nodes that a layer left behind are one
box: hooks note which ones were born while it ran.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad import autograd
from minigrad.autograd import Node
from minigrad.nn.module import Module
from minigrad.tensor import Tensor
from minigrad.viz.watching import example_inputs, in_eval_mode, tensors_in


@dataclass
class Box:
    """One node of a drawing. `kind`: "input", "parameter", "layer", "op" or "output"."""

    label: str
    kind: str


class Drawing:
    """`boxes` and `edges` (from, to, shape as text); what they look like as text and as a picture."""

    def __init__(self, boxes: list[Box], edges: list[tuple[int, int, str]]):
        self.boxes, self.edges = boxes, edges

    @property
    def mermaid(self) -> str:
        """As Mermaid text, which web pages and GitHub draw."""
        forms = {"input": '(["{}"])', "output": '(["{}"])', "parameter": '[("{}")]', "op": '("{}")', "layer": '["{}"]'}
        lines = ["flowchart TD"]
        for i, box in enumerate(self.boxes):
            lines.append(f"    n{i}" + forms[box.kind].format(box.label.replace('"', "'").replace("\n", "<br/>")))
        lines += [f'    n{a} -->|"{shape}"| n{b}' for a, b, shape in self.edges]
        return "\n".join(lines) + "\n"

    @property
    def dot(self) -> str:
        """As text in Graphviz's language."""
        styles = {
            "input": 'shape=box, style="rounded,filled", fillcolor="#e8f0fe"',
            "output": 'shape=box, style="rounded,filled", fillcolor="#e6f4ea"',
            "parameter": 'shape=cylinder, style=filled, fillcolor="#fef7e0"',
            "op": 'shape=box, style="rounded"',
            "layer": "shape=box",
        }
        lines = [
            "digraph {",
            '    node [fontname="Helvetica", fontsize=11]',
            '    edge [fontname="Helvetica", fontsize=9]',
        ]
        for i, box in enumerate(self.boxes):
            lines.append(f'    n{i} [label="{_escaped(box.label)}", {styles[box.kind]}]')
        lines += [f'    n{a} -> n{b} [label=" {shape}"]' for a, b, shape in self.edges]
        return "\n".join([*lines, "}"]) + "\n"

    @property
    def svg(self) -> str:
        """As an SVG picture. ImportError without the package graphviz, RuntimeError without its program dot."""
        try:
            import graphviz
        except ImportError as error:
            raise ImportError(
                "drawing SVG needs the package graphviz: pip install 'minigrad[viz]'; `.mermaid` needs nothing"
            ) from error
        try:
            return graphviz.pipe("dot", "svg", self.dot.encode()).decode()
        except graphviz.ExecutableNotFound as error:
            raise RuntimeError(
                "drawing SVG needs Graphviz's program dot, which is not found: install Graphviz (apt install graphviz, "
                "brew install graphviz, or graphviz.org); `.mermaid` needs nothing"
            ) from error

    def save(self, path: str | os.PathLike) -> None:
        """Write .svg, .dot, or .mmd (Mermaid), by the name. ValueError for another."""
        suffix = os.path.splitext(path)[1]
        makers = {".svg": lambda: self.svg, ".dot": lambda: self.dot, ".mmd": lambda: self.mermaid}
        if suffix not in makers:
            raise ValueError(f"a drawing is saved as {', '.join(makers)}, got {os.fspath(path)!r}")
        text = makers[suffix]()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _repr_svg_(self) -> str:  # what notebooks show
        return self.svg


def draw(
    what: Module | Tensor, shape: Any = None, *, depth: int | None = None, dtype: Any = None,
    names: Module | None = None,
) -> Drawing:  # fmt: skip
    """The drawing of a model run on an input of `shape`, or of the graph behind a tensor.

    A model is drawn as its layers and the ops between them. `shape` is as for `summary`; `depth` 1 draws its children
    whole, 2 their children, None the innermost layers. Of a tensor every op is drawn, down to the leaves that require a
    gradient; those that are parameters of the model `names` bear their names. Raises ValueError for a tensor without a
    graph, and for a model whose output depends on nothing that requires a gradient.
    """
    if isinstance(what, Tensor):
        if shape is not None or depth is not None:
            raise TypeError("draw(tensor) takes neither shape nor depth: its graph is there already")
        labels = {} if names is None else {id(p.node): name for name, p in names.named_parameters()}
        return _Sketch({}, lambda leaf: Box(labels.get(id(leaf), "leaf"), "parameter")).of([what])
    if not isinstance(what, Module):
        raise TypeError(f"draw takes a Module and a shape, or a Tensor, got {type(what).__name__}")
    if shape is None:
        raise TypeError("draw(model, shape) needs the shape of the input, such as (1, 3, 32, 32)")
    return _draw_model(what, example_inputs(what, shape, dtype), depth)


def _draw_model(model: Module, inputs: tuple[Tensor, ...], depth: int | None) -> Drawing:
    inputs = tuple(x.detach().requires_grad_(x.is_floating_point()) for x in inputs)
    labels = ["input"] if len(inputs) == 1 else [f"input {i}" for i in range(len(inputs))]
    layers = {
        module: name
        for name, module in model.named_modules()
        if name and (not module._modules or (depth is not None and name.count(".") + 1 >= depth))
    }
    owner: dict[int, tuple[int, Box]] = {}  # birth of a node -> the call of a layer that made it, and its box
    fed: list[tuple[tuple[int, Box], int]] = []  # calls that were given an input without a node, such as token ids
    begun: list[int] = []  # the births that come first in the calls that have begun and not ended

    def begin(module: Module, args: tuple) -> None:
        begun.append(next(autograd._births))  # a number is drawn here and at the end; nodes between them are the call's

    def end(module: Module, args: tuple, output: Any) -> None:
        first, last = begun.pop(), next(autograd._births)
        if begun:
            return  # inside another box
        call = (first, Box(f"{layers[module]}\n{type(module).__name__}", "layer"))
        owner.update(dict.fromkeys(range(first, last), call))
        fed.extend((call, i) for i, x in enumerate(inputs) if not x.requires_grad and any(x is a for a in args))

    handles = [module.register_forward_pre_hook(begin) for module in layers]
    handles += [module.register_forward_hook(end) for module in layers]
    try:
        with in_eval_mode(model), autograd.enable_grad():
            output = model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    boxes = {id(x.node): Box(label, "input") for x, label in zip(inputs, labels, strict=True) if x.node is not None}
    sketch = _Sketch(owner, lambda leaf: boxes.get(id(leaf)))  # parameters are inside their layers: None, not drawn
    for (first, box), i in fed:
        sketch.join(sketch.box(("input", i), Box(labels[i], "input")), sketch.box(first, box), inputs[i].shape)
    return sketch.of(tensors_in(output))


class _Sketch:
    """Collects boxes and edges from nodes. `owner` says which nodes are one layer's, by birth; `leaf` gives the box of
    a leaf, or None for one that is not drawn.
    """

    def __init__(self, owner: dict[int, tuple[int, Box]], leaf: Callable[[Node], Box | None]):
        self.owner, self.leaf = owner, leaf
        self.boxes: list[Box] = []
        self.edges: dict[tuple[int, int, str], None] = {}  # in order, each once
        self.numbers: dict[Any, int] = {}  # what a box stands for -> its place in the list

    def of(self, outputs: list[Tensor]) -> Drawing:
        reached = [x for x in outputs if x.node is not None and x.node.requires_grad]
        if not reached:
            raise ValueError("there is no graph to draw: nothing behind the tensor requires a gradient")
        for node in _oldest_first([x.node for x in reached]):
            to = self.box_of(node)
            for parent in node.parents:
                if parent is not None:
                    self.join(self.box_of(parent), to, parent.shape)
        for i, x in enumerate(reached):
            label = "output" if len(reached) == 1 else f"output {i}"
            self.join(self.box_of(x.node), self.box(("output", i), Box(label, "output")), x.shape)
        return Drawing(self.boxes, list(self.edges))

    def box_of(self, node: Node) -> int | None:
        if node.op is None:
            leaf = self.leaf(node)
            return None if leaf is None else self.box(("leaf", node.birth), leaf)
        if node.birth in self.owner:
            return self.box(*self.owner[node.birth])
        return self.box(("op", node.birth), Box(node.op.name, "op"))

    def box(self, key: Any, box: Box) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.boxes)
            self.boxes.append(box)
        return self.numbers[key]

    def join(self, a: int | None, b: int | None, shape: Any) -> None:
        if a is not None and b is not None and a != b:
            self.edges[a, b, "×".join(map(str, shape)) or "scalar"] = None


def _oldest_first(nodes: list[Node]) -> list[Node]:
    """All nodes behind these, parents before their children: a parent is always older."""
    found: dict[int, Node] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node.birth not in found:
            found[node.birth] = node
            waiting += [parent for parent in node.parents if parent is not None]
    return [found[birth] for birth in sorted(found)]


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
