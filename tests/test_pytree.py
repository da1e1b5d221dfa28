"""Trees: what counts as a node, what comes back, how a prefix spreads."""

from collections import OrderedDict, namedtuple

import pytest

from minigrad.pytree import flatten, leaves_of, map_leaves, spread, unflatten

Pair = namedtuple("Pair", ("a", "b"))
TREES = [
    3, None, (), [], {}, (1, [2, {"x": 3, "y": (4,)}]), Pair(1, (2, 3)), OrderedDict(b=1, a=Pair(2, None)),
    {"b": 1, "a": 2},
]  # fmt: skip


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_a_tree_comes_back_whole(tree):
    leaves, spec = flatten(tree)
    again = unflatten(spec, leaves)
    assert again == tree and type(again) is type(tree)
    assert map_leaves(lambda x: [x], tree) == unflatten(spec, [[x] for x in leaves])
    assert flatten(again)[1] == spec


def test_leaves_come_in_order():
    assert leaves_of({"b": 1, "a": (2, [3, None])}) == [1, 2, 3, None]


@pytest.mark.parametrize(
    ("prefix", "tree", "values"),
    [
        (0, (1, [2, 3]), [0, 0, 0]),
        ((0, None), (1, [2, 3]), [0, None, None]),
        ({"b": 1, "a": 2}, {"a": 5, "b": (6, 7)}, [2, 1, 1]),
        ((0, 1), (1, 2, 3), None),
        ([0, 1], (1, 2), None),
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ((0,), 5, None),
    ],
)
def test_a_prefix_spreads_over_a_tree(prefix, tree, values):
    assert spread(prefix, flatten(tree)[1]) == values


def test_a_spec_is_written_as_the_tree_is():
    assert repr(flatten({"a": 1, "b": [2, (3,)]})[1]) == "{'a': *, 'b': [*, (*,)]}"
