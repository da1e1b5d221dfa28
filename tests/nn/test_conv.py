"""Image layers against what PyTorch answers (scripts/record_conv.py), and convolutions by their defining properties."""

import json
from pathlib import Path

import conv_cases as cases
import numpy as np
import pytest
from test_layers import close

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "conv.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "case, recorded", list(zip(cases.REPRS, RECORDED["reprs"], strict=True)), ids=lambda c: str(c[0]).split("(")[0]
)
def test_repr_and_state_dict_keys_are_pytorchs(case, recorded):
    module = cases.build(mg, *case)
    assert [repr(module), list(module.state_dict())] == recorded


@pytest.mark.parametrize("seed", cases.SEEDS)
@pytest.mark.parametrize("what", cases.INITIAL)
def test_initial_weights_are_pytorchs_to_the_bit(what, seed):
    assert cases.initial(mg, *cases.INITIAL[what], seed) == RECORDED["initial"][f"{what}, {seed}"]


@pytest.mark.parametrize("seed", cases.SEEDS)
@pytest.mark.parametrize("what", cases.LAZY)
def test_lazy_layers_become_pytorchs(what, seed):
    assert cases.materialized(mg, *cases.LAZY[what], seed) == RECORDED["lazy"][f"{what}, {seed}"]


@pytest.mark.parametrize("case", cases.FORWARDS, ids=[case[0] for case in cases.FORWARDS])
def test_values_and_gradients_are_pytorchs(case):
    what, *rest = case
    close(cases.forward(mg, *rest), RECORDED["forwards"][what])


@pytest.mark.parametrize("case", cases.ERRORS, ids=[case[0] for case in cases.ERRORS])
def test_bad_input_raises_as_in_pytorch(case):
    what, call, words = case
    kind, text = cases.error(mg, call)
    assert kind == RECORDED["errors"][what]
    assert words in text


# ---------------------------------------------------------------- convolution


@pytest.mark.parametrize("stride, padding, dilation, groups", [(1, 1, 1, 1), (2, 0, 1, 2), ((1, 2), (2, 1), (2, 1), 1)])
def test_the_transposed_convolution_is_the_adjoint(stride, padding, dilation, groups):
    x, w = mg.randn(2, 4, 6, 7).double(), mg.randn(4, 4 // groups, 3, 2).double()
    y = F.conv2d(x, w, None, stride, padding, dilation, groups)
    g = mg.randn(*y.shape).double()
    short = F.conv_transpose2d(g, w, None, stride, padding, 0, groups, dilation)
    extra = 6 - short.shape[2], 7 - short.shape[3]  # several sizes of x give y: this one
    back = F.conv_transpose2d(g, w, None, stride, padding, extra, groups, dilation)
    assert (y * g).sum().item() == pytest.approx((x * back).sum().item(), rel=1e-12)


def test_many_images_are_taken_in_groups_that_fit_the_cache():
    mg.manual_seed(0)
    x, w, b = mg.randn(40, 8, 16, 16), mg.randn(4, 8, 3, 3), mg.randn(4)  # 9 MB of columns
    x.requires_grad_(), w.requires_grad_()
    y = F.conv2d(x, w, b, padding=1)
    y.cos().sum().backward()
    some = [mg.tensor(t.detach().numpy(), dtype=mg.float64).requires_grad_() for t in (x, w)]
    z = sum(F.conv2d(some[0][i : i + 1], some[1], b.double(), padding=1).cos().sum() for i in range(40))
    z.backward()
    for narrow, wide in zip((x, w), some, strict=True):
        np.testing.assert_allclose(narrow.grad.numpy(), wide.grad.numpy(), rtol=0, atol=2e-3)


def test_half_precision_is_computed_in_single():
    x, w = mg.randn(2, 3, 5, 5), mg.randn(4, 3, 3, 3)
    y = F.conv2d(x.half(), w.half())
    assert y.dtype is mg.float16
    wanted = F.conv2d(x.half().float(), w.half().float())
    assert y.equal(wanted.half())


def test_integers_give_integers_and_bools_are_refused():
    y = F.conv2d(mg.arange(9).reshape(1, 1, 3, 3), mg.ones(1, 1, 2, 2).long())
    assert y.dtype is mg.int64 and y.tolist() == [[[[8, 12], [20, 24]]]]
    with pytest.raises(NotImplementedError, match=r"convolution is not implemented for torch.bool"):
        F.conv2d(mg.zeros(1, 1, 3, 3).bool(), mg.zeros(1, 1, 2, 2).bool())


def test_unfold_and_a_product_are_a_convolution():
    x, w = mg.randn(2, 3, 5, 6).double(), mg.randn(4, 3, 2, 3).double()
    y = w.reshape(4, -1) @ F.unfold(x, (2, 3), padding=1, stride=2)
    np.testing.assert_allclose(y.reshape(2, 4, 3, 3).numpy(), F.conv2d(x, w, padding=1, stride=2).numpy(), atol=1e-12)


def test_fold_counts_the_patches_that_hold_an_entry():
    ones = mg.ones(1, 1, 3, 3)
    assert F.fold(F.unfold(ones, 2), (3, 3), 2).tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]


def test_interpolate_refuses_antialias():
    with pytest.raises(NotImplementedError, match="antialias"):
        F.interpolate(mg.zeros(1, 1, 4, 4), 2, mode="bilinear", antialias=True)


def test_upsample_is_deprecated():
    with pytest.warns(UserWarning, match=r"Use `nn.functional.interpolate` instead"):
        assert F.upsample(mg.ones(1, 1, 2), 4).shape == (1, 1, 4)


# ---------------------------------------------------------------- lazy layers


def test_a_lazy_parameter_stays_the_object_an_optimizer_took():
    layer = nn.LazyLinear(1)
    weight, optimizer = layer.weight, mg.optim.SGD(layer.parameters(), lr=0.5)
    layer.weight.data.normal_(0, 0.01)  # as tutorials do: it has no values yet, and this no effect
    layer(mg.ones(2, 3)).sum().backward()
    before = weight.detach().clone()
    optimizer.step()
    assert layer.weight is weight and type(weight) is nn.Parameter and type(layer) is nn.Linear
    assert weight.equal(before - 1.0)


def test_a_lazy_layer_loads_the_weights_of_a_plain_one():
    for lazy, plain in (
        (nn.LazyConv2d(2, 3), nn.Conv2d(4, 2, 3)),
        (nn.LazyConvTranspose2d(2, 3), nn.ConvTranspose2d(4, 2, 3)),
        (nn.LazyBatchNorm2d(), nn.BatchNorm2d(4)),
    ):
        assert str(lazy.load_state_dict(plain.state_dict())) == "<All keys matched successfully>"
        x = mg.randn(2, 4, 5, 5)
        assert lazy(x).equal(plain(x)) and repr(lazy) == repr(plain)
    lazy, plain = nn.LazyLinear(2), nn.Linear(3, 2)
    lazy.load_state_dict(plain.state_dict(), assign=True)
    assert lazy(mg.ones(1, 3)).equal(plain(mg.ones(1, 3))) and repr(lazy) == repr(plain)


def test_lazy_layers_keep_dtype_and_copies():
    import copy
    import pickle

    layer = nn.LazyConv1d(2, 3).double()
    for twin in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.weight.dtype is mg.float64 and twin.has_uninitialized_params()
        assert twin(mg.ones(1, 4, 5).double()).dtype is mg.float64
    norm = nn.LazyBatchNorm1d().double()
    assert norm(mg.randn(4, 3).double()).shape == (4, 3) and norm.running_var.dtype is mg.float64
    lazy = nn.LazyLinear(2)
    lazy.load_state_dict(nn.LazyLinear(2).state_dict())
    assert lazy.has_uninitialized_params()
