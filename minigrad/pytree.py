"""Trees: nested tuples, lists, dicts and named tuples, with whatever else as leaves.

    leaves, spec = flatten({"w": a, "b": (c, d)})       [a, c, d], and how they were nested
    unflatten(spec, [1, 2, 3])                          {"w": 1, "b": (2, 3)}

None is a leaf. Dicts keep their order, and an OrderedDict its class.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any


class Spec:
    """How leaves were nested: what holds them (None: this is a leaf itself), under which names, and the specs below."""

    __slots__ = ("below", "kind", "names")

    def __init__(self, kind: Any, names: Any, below: "list[Spec]"):
        self.kind, self.names, self.below = kind, names, below

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spec):
            return NotImplemented
        return (self.kind, self.names, self.below) == (other.kind, other.names, other.below)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """As the tree would be written, with * for leaves."""
        if self.kind is None:
            return "*"
        if self.names is not None:
            return "{" + ", ".join(f"{n!r}: {spec}" for n, spec in zip(self.names, self.below, strict=True)) + "}"
        inner = ", ".join(map(repr, self.below))
        if issubclass(self.kind, list):
            return f"[{inner}]"
        return f"({inner},)" if len(self.below) == 1 else f"({inner})"


_LEAF = Spec(None, None, [])


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _opened(tree: Any) -> tuple[Any, Any, list] | None:
    """(kind, names, children) of a node; None for a leaf."""
    kind = type(tree)
    if kind in (dict, OrderedDict):
        return kind, list(tree), list(tree.values())
    if kind in (tuple, list) or _is_named_tuple(kind):
        return kind, None, list(tree)
    return None


def flatten(tree: Any) -> tuple[list, Spec]:
    """The leaves in order, and the spec that `unflatten` puts them back by."""
    opened = _opened(tree)
    if opened is None:
        return [tree], _LEAF
    kind, names, children = opened
    leaves: list = []
    below = []
    for child in children:
        found, spec = flatten(child)
        leaves += found
        below.append(spec)
    return leaves, Spec(kind, names, below)


def leaves_of(tree: Any) -> list:
    return flatten(tree)[0]


def unflatten(spec: Spec, leaves: Sequence) -> Any:
    """The tree of `spec` with these leaves."""
    remaining = iter(leaves)

    def build(spec: Spec) -> Any:
        if spec.kind is None:
            return next(remaining)
        children = [build(below) for below in spec.below]
        if spec.names is not None:
            return spec.kind(zip(spec.names, children, strict=True))
        return spec.kind(*children) if _is_named_tuple(spec.kind) else spec.kind(children)

    return build(spec)


def map_leaves(function: Callable, tree: Any) -> Any:
    leaves, spec = flatten(tree)
    return unflatten(spec, [function(leaf) for leaf in leaves])


def spread(prefix: Any, spec: Spec) -> list | None:
    """One value of `prefix` for each leaf of `spec`: a leaf of it stands for all below. None where they do not fit."""
    opened = _opened(prefix)
    if opened is None:
        return [prefix] * _count(spec)
    kind, names, children = opened
    if spec.kind is None or kind is not spec.kind or len(children) != len(spec.below):
        return None
    if names is not None:
        if set(names) != set(spec.names):
            return None
        children = [prefix[name] for name in spec.names]
    values: list = []
    for child, below in zip(children, spec.below, strict=True):
        found = spread(child, below)
        if found is None:
            return None
        values += found
    return values


def _count(spec: Spec) -> int:
    return 1 if spec.kind is None else sum(map(_count, spec.below))
