"""The compiled attention against softmax(scale q k^T) v in float64."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from kernel_checks import close, lay_out, layouts, seeds, wide

from minigrad.kernels import cpu

sizes = st.one_of(st.integers(1, 40), st.sampled_from([63, 64, 65]))
pytestmark = pytest.mark.usefixtures("both_forms")
heads = st.sampled_from([(), (0,), (3,), (2, 3), (1, 2, 2)])


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def reference(q, k, v, dout, scale, causal, mask=None):
    """(out, lse, dq, dk, dv) with every matrix written out; a row that the mask hides wholly is zeros."""
    scores = scale * (q @ k.swapaxes(-1, -2))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    blind = np.isneginf(top) & (mask is not None)
    e = np.exp(scores - np.where(blind, 0.0, top))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(blind, 1.0, total)
    dp = dout @ v.swapaxes(-1, -2)
    ds = scale * p * (dp - (dp * p).sum(-1, keepdims=True))
    dk, dv = ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dout
    with np.errstate(divide="ignore"):
        lse = np.where(blind, -np.inf, top + np.log(total))[..., 0]
    return p @ v, lse, ds @ k, dk, dv


def check(q, k, v, dout, scale, causal, mask=None):
    before = [a.copy() for a in (q, k, v, dout)]
    out, lse = cpu.attention_fwd(q, k, v, mask, scale, causal)
    grads = cpu.attention_bwd(dout, q, k, v, out, lse, mask, scale, causal)
    want_out, want_lse, *want_grads = reference(*wide(q, k, v, dout), scale, causal, mask)
    close(out, want_out)
    close(lse, want_lse, 1.0)
    largest = max(np.abs(g).max(initial=0.0) for g in want_grads)  # with one key dq and dk are exact zeros
    for got, want in zip(grads, want_grads, strict=True):
        close(got, want, largest)
    for array, copy in zip((q, k, v, dout), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@settings(max_examples=60, deadline=None)
@given(heads, sizes, sizes, sizes, sizes, seeds, layouts, st.booleans(), st.sampled_from([0.125, 1.0]))
def test_attention(lead, t, s, width_k, width_v, seed, layout, causal, scale):
    q, k = normal(seed, *lead, t, width_k), normal(seed + 1, *lead, s, width_k)
    v, dout = normal(seed + 2, *lead, s, width_v), normal(seed + 3, *lead, t, width_v)
    check(*(lay_out(a, layout) for a in (q / width_k**0.25, k / width_k**0.25, v, dout)), scale, causal)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("t, k", [(1, 16), (17, 5), (64, 32), (130, 48)])
def test_heads_of_a_packed_projection(t, k, causal):
    """q, k, v as views of one (B, T, 3, H, K) array: the gradients come back so, the output as (B, T, H, K)."""
    packed = normal(0, 2, t, 3, 4, k)
    packed.flags.writeable = False
    q, key, v = (packed[:, :, i].swapaxes(1, 2) for i in range(3))
    dout = normal(1, 2, t, 4, k).swapaxes(1, 2)
    check(q, key, v, dout, k**-0.5, causal)
    out, lse = cpu.attention_fwd(q, key, v, None, k**-0.5, causal)
    assert out.swapaxes(1, 2).flags.c_contiguous
    dq, dk, dv = cpu.attention_bwd(dout, q, key, v, out, lse, None, k**-0.5, causal)
    assert dq.base is not None and dq.base is dk.base is dv.base and dq.base.shape == packed.shape


def test_broadcast_and_reversed_inputs():
    q, k, v = (normal(i, 2, 3, 9, 8) for i in range(3))
    check(q[..., ::-1, :], k[..., ::-1], v[:, ::-1], np.broadcast_to(np.float32(1.0), (2, 3, 9, 8)), 0.3, True)
    check(np.broadcast_to(q[:, :1], q.shape), k, v, normal(4, 2, 3, 9, 8), 0.3, False)


def test_degenerate_sizes():
    def empty(*shape):
        return np.zeros(shape, np.float32)

    out, lse = cpu.attention_fwd(normal(0, 2, 3, 4), empty(2, 0, 4), empty(2, 0, 5), None, 1.0, False)
    assert out.shape == (2, 3, 5) and not out.any() and np.all(lse == -np.inf)  # no keys: an empty sum
    dq, dk, dv = cpu.attention_bwd(out, normal(0, 2, 3, 4), empty(2, 0, 4), empty(2, 0, 5), out, lse, None, 1.0, False)
    assert not dq.any() and dk.shape == (2, 0, 4) and dv.shape == (2, 0, 5)
    out, lse = cpu.attention_fwd(empty(2, 0, 4), normal(0, 2, 3, 4), normal(1, 2, 3, 5), None, 1.0, True)
    assert out.shape == (2, 0, 5) and lse.shape == (2, 0)
    grads = cpu.attention_bwd(out, empty(2, 0, 4), normal(0, 2, 3, 4), normal(1, 2, 3, 5), out, lse, None, 1.0, True)
    assert [g.shape for g in grads] == [(2, 0, 4), (2, 3, 4), (2, 3, 5)] and not any(g.any() for g in grads)
    v = normal(1, 2, 3, 5)
    # With no features every key counts alike.
    out, _ = cpu.attention_fwd(empty(2, 6, 0), empty(2, 3, 0), v, None, 1.0, False)
    close(out, np.broadcast_to(v.astype(np.float64).mean(1, keepdims=True), (2, 6, 5)))


def test_nan_and_infinite_entries():
    q, k, v, dout = (normal(i, 2, 20, 8) for i in range(4))
    q[0, 5, 3] = np.nan
    out, lse = cpu.attention_fwd(q, k, v, None, 0.5, True)
    want = np.zeros((2, 20), bool)
    want[0, 5] = True
    np.testing.assert_array_equal(np.isnan(out).any(-1), want)
    np.testing.assert_array_equal(np.isnan(lse), want)
    dq, dk, _ = cpu.attention_bwd(dout, q, k, v, out, lse, None, 0.5, True)
    np.testing.assert_array_equal(np.isnan(dq).any(-1), want)
    assert np.isnan(dk[0, :6]).all() and not np.isnan(dk[1]).any()

    q = np.abs(normal(0, 1, 20, 8))
    k[:, 7, 0] = -np.inf  # a key that nobody can see
    out, lse = cpu.attention_fwd(q, k[:1], v[:1], None, 0.5, False)
    close(out, reference(*wide(q, np.delete(k[:1], 7, 1), np.delete(v[:1], 7, 1), dout[:1]), 0.5, False)[0])
    k[:, 7, 0] = np.inf
    assert np.isnan(cpu.attention_fwd(q, k[:1], v[:1], None, 0.5, False)[0]).all()


def test_large_scores_do_not_overflow():
    q, k, v, dout = (normal(i, 1, 33, 16) for i in range(4))
    q, k = 30 * q, 30 * k  # scores of several thousand; exp overflows from 89 on
    out, lse = cpu.attention_fwd(q, k, v, None, 1.0, True)
    want_out, want_lse, *_ = reference(*wide(q, k, v, dout), 1.0, True)
    assert np.abs(out - want_out).max() < 1e-3  # of the scores themselves float32 keeps 3 decimals
    close(lse, want_lse)
    assert all(np.isfinite(g).all() for g in cpu.attention_bwd(dout, q, k, v, out, lse, None, 1.0, True))


def test_one_compilation_for_all_layouts():
    attention = cpu.compiled().attention
    for layout in ("contiguous", "strided", "read-only"):
        q, k, v, dout = (lay_out(normal(i, 2, 3, 9, 8), layout) for i in range(4))
        for causal in (True, np.False_):
            out, lse = cpu.attention_fwd(q, k, v, None, 0.5, causal)
            cpu.attention_bwd(dout, q, k, v, out, lse, None, np.float64(0.5), causal)
    for kernel in (attention._forward, attention._backward):
        for form in (kernel.serial, kernel.threaded):
            assert len(form.signatures) <= 1


MASKS = {
    "keys of each example": ((2, 1, 1, 23), "bool"),
    "one for all": ((17, 23), "bool"),
    "each head": ((3, 17, 23), "float32"),
    "each query": ((2, 1, 17, 1), "bool"),
    "a bias": ((2, 3, 17, 23), "float32"),
    "a strided bias": ((2, 3, 17, 46), "float32"),
    "one number": ((1,), "float32"),
}


@pytest.mark.parametrize("queries", [17, 3], ids=["many", "few"])
@pytest.mark.parametrize("name", MASKS)
def test_masks(name, queries):
    shape, dtype = MASKS[name]
    rng = np.random.default_rng(5)
    if dtype == "bool":
        mask = rng.random(shape) < 0.6
        mask[..., 0, :] = False  # blind rows, or the whole mask
        mask.flags.writeable = False
    else:
        mask = rng.standard_normal(shape).astype(np.float32)
        mask[..., ::5] = -np.inf if mask.size > 1 else 0.5
    mask = mask[..., ::2] if name == "a strided bias" else mask
    if mask.ndim > 1 and mask.shape[-2] == 17:
        mask = mask[..., :queries, :]
    q, k, v = normal(0, 2, 3, queries, 9), normal(1, 2, 3, 23, 9), normal(2, 2, 3, 23, 11)
    for causal in (False, True):
        check(q, k, v, normal(3, 2, 3, queries, 11), 0.4, causal, mask)
    lead = mask.reshape(mask.shape[1:]) if mask.ndim == 4 and mask.shape[0] == 1 else mask
    if lead.ndim <= 3:
        check(q[0], k[0], v[0], normal(3, 3, queries, 11), 0.4, False, lead)


def test_a_nan_is_not_hidden_by_a_mask_of_its_neighbours():
    q, k, v = normal(0, 1, 20, 8), normal(1, 1, 20, 8), normal(2, 1, 20, 8)
    q[0, 3] = np.nan
    mask = np.ones((20, 20), bool)
    mask[:, 5:] = False
    out, _ = cpu.attention_fwd(q, k, v, mask, 1.0, False)
    assert np.isnan(out[0, 3]).all() and np.isfinite(np.delete(out[0], 3, 0)).all()
    k[0, 9] = np.nan  # a key that nobody sees; 0 times a NaN is one, so its value must not be one, as in PyTorch
    out, _ = cpu.attention_fwd(np.nan_to_num(q), k, v, mask, 1.0, False)
    assert np.isfinite(out).all()


def test_the_kernel_takes_masks(monkeypatch):
    """From the layers down: padding masks of the encoder, boolean and added masks of the function."""
    import minigrad as mg
    from minigrad import nn

    module = importlib.import_module("minigrad.ops.attention")  # the name is also the op's

    def refuse(*args, **kwargs):
        raise AssertionError("the definition ran")

    monkeypatch.setattr(module, "masked_attention", refuse)
    q, k, v = (mg.randn(2, 3, 7, 4, requires_grad=True) for _ in range(3))
    for mask in (mg.ones(7, 7).bool().tril(), mg.randn(2, 1, 1, 7)):
        nn.functional.scaled_dot_product_attention(q, k, v, mask).sum().backward()
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    padding = mg.tensor([[False] * 5, [False] * 3 + [True] * 2])
    layer(mg.randn(2, 5, 8), src_key_padding_mask=padding).sum().backward()
