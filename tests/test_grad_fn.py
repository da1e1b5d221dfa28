"""The names of derivatives: PyTorch's recorded ones, and that a node stays what it is under them."""

import pytest
from programs.common import check, recorded

import minigrad as mg
from minigrad.autograd import Node

PROGRAMS = recorded("grad_fn")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_a_node_is_itself_under_its_name():
    x = mg.ones(2, requires_grad=True)
    y = x * 2
    node = y.node
    assert y.grad_fn is node and isinstance(node, Node) and type(node).__name__ == "MulBackward0"
    assert node.next_functions[0][0] is x.node and type(x.node).__name__ == "AccumulateGrad"
    y.sum().backward()
    assert x.grad.tolist() == [2, 2] and type(y.grad_fn).__mro__[1] is Node


def test_a_function_written_by_the_user_gives_its_name():
    class Double(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 2

    y = Double.apply(mg.ones(1, requires_grad=True))
    assert type(y.grad_fn).__name__ == "DoubleBackward" and "grad_fn=<DoubleBackward>" in repr(y)
