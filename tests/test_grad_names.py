"""The names of the graph's nodes are those that PyTorch prints."""

import re

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("grad_names")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_a_node_shows_its_name_and_leads_to_those_before_it():
    x = mg.ones(2, requires_grad=True)
    y = (x * 2).exp()
    assert re.fullmatch(r"<ExpBackward0 object at 0x[0-9a-f]+>", repr(y.grad_fn))
    product = y.grad_fn.next_functions[0][0]
    assert product.name() == "MulBackward0"
    assert repr(product.next_functions[0][0]).startswith("<AccumulateGrad object at 0x")


def test_a_name_given_to_a_result_is_that_of_this_result_alone():
    x = mg.randn(3, 4, requires_grad=True)
    mg.nn.functional.mse_loss(x, x.detach())
    assert "MeanBackward0" in repr((x - x.detach()).square().mean())
    assert x.reshape(4, 3).grad_fn.name() == "ViewBackward0" and x.unsqueeze(0).grad_fn.name() == "UnsqueezeBackward0"
