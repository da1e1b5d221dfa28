"""The compiled kernels of convolution, pooling and batch norm against their definitions, for every layout."""

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from kernel_checks import close, lay_out, layouts, seeds, wide

import minigrad as mg
from minigrad.kernels import common, cpu
from minigrad.kernels.common_conv import Grid
from minigrad.nn import functional as F

few = settings(max_examples=25, deadline=None)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
pytestmark = pytest.mark.usefixtures("both_forms")


@pytest.fixture(autouse=True, scope="module")
def numba_is_on():
    assert cpu.compiled() is not None, "these tests are about the compiled kernels: unset MINIGRAD_NUMBA, install numba"


PLACES = [  # stride, padding, dilation, groups
    ((1, 1), ((1, 1), (1, 1)), (1, 1), 1), ((1, 1), ((0, 0), (0, 0)), (1, 1), 2), ((2, 1), ((1, 0), (2, 1)), (1, 1), 1),
    ((2, 3), ((2, 2), (1, 1)), (1, 2), 2),
    ((1, 1), ((1, 1), (0, 2)), (2, 1), 3), ((1, 1), ((2, 1), (0, 3)), (2, 3), 1),
]  # fmt: skip


@few
@given(st.sampled_from(PLACES), st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 18)), pairs,
       st.tuples(st.integers(1, 20), st.integers(1, 40)), seeds, layouts)  # fmt: skip
def test_convolution(place, batch_and_channels, kernel, size, seed, layout):
    check_conv(place, batch_and_channels, kernel, size, seed, layout)


def test_convolution_of_a_large_image_goes_block_by_block():
    for place in PLACES:
        check_conv(place, (1, 16, 5), (3, 3), (70, 90), 5, "contiguous")


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_depthwise_convolution(place, outputs):
    check_conv(place, (2, 1, outputs), (3, 2), (9, 20), 7, "strided")


def check_conv(place, batch_and_channels, kernel, size, seed, layout):
    _, padding, dilation, groups = place
    images, ins, outs = batch_and_channels
    room = [n + sum(p) - d * (k - 1) for n, p, d, k in zip(size, padding, dilation, kernel, strict=True)]
    if min(room) < 1:
        return
    x, w, b = (
        drawn(seed, images, ins * groups, *size),
        drawn(seed + 1, outs * groups, ins, *kernel),
        drawn(2, outs * groups),
    )
    y = cpu.conv2d(lay_out(x, layout), lay_out(w, layout), b, *place)
    wanted = common.conv2d(*wide(x, w, b), *place)
    close(y, wanted, 1.0)
    dy = drawn(seed + 3, *y.shape)
    dx = cpu.conv2d_input(lay_out(dy, layout), lay_out(w, layout), None, size, *place)
    close(dx, common.conv2d_input(*wide(dy, w), None, size, *place), 1.0)
    dw = cpu.conv2d_weight(lay_out(x, layout), lay_out(dy, layout), kernel, *place)
    close(dw, common.conv2d_weight(*wide(x, dy), kernel, *place), 1.0)


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@few
@given(st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(1, 37)), pairs, pairs, pairs, seeds, layouts)
def test_max_pool(shape, kernel, stride, dilation, seed, layout):
    rng = np.random.default_rng(seed)
    padding = tuple(
        (p, p)
        for p in (int(rng.integers(0, (d * (k - 1) + 1) // 2 + 1)) for k, d in zip(kernel, dilation, strict=True))
    )
    spans = [n + 2 * p - d * (k - 1) - 1 for n, k, d, (p, _) in zip(shape[1:], kernel, dilation, padding, strict=True)]
    assume(min(spans) >= 0 and all(n >= d for n, d in zip(shape[1:], dilation, strict=True)))
    out = tuple(span // s + 1 for span, s in zip(spans, stride, strict=True))
    check_max_pool(Grid(kernel, stride, padding, dilation, shape[1:], out), drawn(seed, *shape), layout)


@pytest.mark.parametrize("layout", ["contiguous", "strided", "read-only"])
def test_max_pool_of_the_usual_windows(layout):
    for size in ((28, 28), (7, 13)):
        x = drawn(1, 2, 3, *size)
        x[0, 0, :4, :4] = [
            [1, np.nan, -np.inf, -np.inf],
            [np.nan, 1, -np.inf, -np.inf],
            [2, 2, 0, -0.0],
            [2, 2, -0.0, 0],
        ]
        check_max_pool(Grid((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), size, (size[0] // 2, size[1] // 2)), x, layout)


def check_max_pool(grid, x, layout):
    given_x = lay_out(x, layout)
    y, taps = cpu.max_pool2d_fwd(given_x, grid)
    wanted = common.window_argmax(x, grid)
    np.testing.assert_array_equal(y, common.take_taps(x, wanted, grid))
    same = np.isnan(y) | (taps == wanted)  # of several nan, either may be named
    assert same.all() and taps.dtype == np.uint8
    dy = drawn(3, *y.shape)
    close(cpu.max_pool2d_bwd(lay_out(dy, layout), taps, grid), common.put_taps(dy.astype(np.float64), taps, grid), 1.0)


@few
@given(st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 600)), st.booleans(), seeds, layouts)
def test_batch_norm(shape, affine, seed, layout):
    assume(shape[0] * shape[2] > 4)
    x, dy = drawn(seed, *shape), drawn(seed + 1, *shape)
    w, b = (drawn(seed + 2, shape[1]), drawn(seed + 3, shape[1])) if affine else (None, None)
    mean, variance = cpu.channel_statistics(lay_out(x, layout))
    for got, want in zip((mean, variance), common.channel_statistics(x.astype(np.float64)), strict=True):
        close(got, want, 1.0)
    y, rstd = cpu.batch_norm_fwd(lay_out(x, layout), w, b, mean, variance, 1e-3)
    got = cpu.batch_norm_bwd(lay_out(dy, layout), lay_out(x, layout), w, mean, rstd, (True, affine, affine))
    leaves = [
        mg.tensor(t).requires_grad_() if t is not None else None
        for t in (*wide(x), *(wide(w, b) if affine else (w, b)))
    ]
    z = F.batch_norm(leaves[0], None, None, *leaves[1:], training=True, eps=1e-3)
    z.backward(mg.tensor(dy.astype(np.float64)))
    close(y, z.detach().numpy())
    for gradient, leaf in zip(got, leaves, strict=True):
        if leaf is None:
            assert gradient is None
        else:
            close(gradient, leaf.grad.numpy(), 10.0)


def test_the_layers_call_the_kernels(monkeypatch):
    called: list[str] = []
    kernels = cpu.compiled()
    names = {
        kernels.conv: ("conv2d", "conv2d_input", "conv2d_weight"),
        kernels.pool: ("max_pool2d_fwd", "max_pool2d_bwd"),
        kernels.channels: ("channel_statistics", "batch_norm_fwd", "batch_norm_bwd"),
    }
    for module, name in ((module, name) for module, found in names.items() for name in found):
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, plain=plain, name=name: called.append(name) or plain(*args))
    x, w = mg.randn(2, 3, 5, 5, requires_grad=True), mg.randn(4, 3, 2, 2, requires_grad=True)
    F.batch_norm(F.max_pool2d(F.conv2d(x, w), 2), None, None, training=True).sum().backward()
    assert called == [
        "conv2d", "max_pool2d_fwd", "channel_statistics", "batch_norm_fwd", "batch_norm_bwd", "max_pool2d_bwd",
        "conv2d_input", "conv2d_weight",
    ]  # fmt: skip
