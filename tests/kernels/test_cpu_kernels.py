"""The compiled CPU kernels against their formulas in float64, for every layout of the inputs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from kernel_checks import close, lay_out, layouts, seeds, wide

from minigrad.kernels import common, cpu

few = settings(max_examples=25, deadline=None)
leading = st.lists(st.integers(0, 5), min_size=0, max_size=3).map(tuple)
widths = st.one_of(st.integers(1, 70), st.sampled_from([127, 128, 130, 257]))
SPECIAL = [np.nan, np.inf, -np.inf]

pytestmark = pytest.mark.usefixtures("both_forms")


@pytest.fixture(autouse=True, scope="module")
def numba_is_on():
    assert cpu.compiled() is not None, "these tests are about the compiled kernels: unset MINIGRAD_NUMBA, install numba"


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def spread(seed, *shape):
    """Rows whose variance is never near 0, where the formula itself would lose digits."""
    rng = np.random.default_rng(seed)
    grid = rng.permuted(np.broadcast_to(np.linspace(-1.5, 1.5, shape[-1]), shape), axis=-1)
    return (grid + 0.05 * rng.standard_normal(shape)).astype(np.float32)


def softmax64(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax64(x):
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


erf64 = np.vectorize(math.erf, otypes=[np.float64])


def cdf64(x):
    return 0.5 * (1 + erf64(x / math.sqrt(2)))


def pdf64(x):
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


# ---------------------------------------------------------------- softmax


@few
@given(leading, widths, seeds, layouts, st.sampled_from([0.1, 1.0, 30.0]))
def test_softmax_and_log_softmax(lead, n, seed, layout, scale):
    x = lay_out(scale * normal(seed, *lead, n), layout)
    dy = lay_out(normal(seed + 1, *lead, n), layout)
    (x64, dy64) = wide(x, dy)
    y, log_y = cpu.softmax(x, -1), cpu.log_softmax(x, x.ndim - 1)
    y64, log_y64 = softmax64(x64), log_softmax64(x64)
    close(y, y64)
    close(log_y, log_y64)
    close(
        cpu.softmax_backward(dy, y, -1), y64 * (dy64 - (dy64 * y64).sum(-1, keepdims=True)), np.abs(dy64).max(initial=0)
    )
    close(
        cpu.log_softmax_backward(dy, log_y, -1), dy64 - y64 * dy64.sum(-1, keepdims=True), np.abs(dy64).max(initial=0)
    )


@pytest.mark.parametrize("n", [1, 15, 16, 65])
@pytest.mark.parametrize("special", SPECIAL)
def test_softmax_of_special_rows(special, n):
    x = normal(0, 4, n)
    x[1, n // 2] = special  # one entry
    x[3] = special  # a whole row: of -inf alone it is a fully masked one, and NaN
    with np.errstate(all="ignore"):
        want, log_want = softmax64(x.astype(np.float64)), log_softmax64(x.astype(np.float64))
    close(cpu.softmax(x, -1), want)
    got = cpu.log_softmax(x, -1)
    close(got[[0, 2]], log_want[[0, 2]])
    np.testing.assert_array_equal(np.isnan(got), np.isnan(log_want))


def test_softmax_is_commons_on_other_axes_and_dtypes():
    x = normal(0, 3, 4, 5)
    np.testing.assert_array_equal(cpu.softmax(x, 1), common.softmax(x, 1))
    x64 = x.astype(np.float64)
    np.testing.assert_array_equal(cpu.softmax(x64, -1), common.softmax(x64, -1))
    assert cpu.log_softmax(x64, -1).dtype == np.float64


def test_empty_rows():
    for shape in [(0, 3), (2, 0), (0, 0)]:
        x = np.zeros(shape, np.float32)
        assert cpu.softmax(x, -1).shape == cpu.log_softmax(x, -1).shape == shape
        assert cpu.gelu(x).shape == shape


# ---------------------------------------------------------------- elementwise


def every_exponent():
    """float32 numbers of both signs from the smallest subnormal to the largest, with random digits."""
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, np.uint32)
    x = bits.view(np.float32)
    return np.concatenate([x[np.isfinite(x)], np.linspace(-105, 90, 100_000, dtype=np.float32)])


def ulps(got, want):
    """The error in units of the last place of the float32 nearest to `want`."""
    step = np.spacing(np.abs(want).astype(np.float32)).astype(np.float64)
    return np.abs(got.astype(np.float64) - want) / step


def test_exp_within_an_ulp_over_the_whole_range():
    from minigrad.kernels.cpu.intrinsics import exp, kernel

    @kernel
    def exp_of_all(x, y):
        for i in range(x.size):
            y[i] = exp(x[i])

    x = every_exponent()
    y = np.empty_like(x)
    exp_of_all(x, y)
    with np.errstate(over="ignore", under="ignore"):
        want = np.exp(x.astype(np.float64))
    inside = want < 3.4e38
    assert ulps(y[inside], want[inside]).max() <= 2
    assert np.all(np.isinf(y[want > 3.41e38]))
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    out = np.empty_like(special)
    exp_of_all(special, out)
    np.testing.assert_array_equal(out, np.array([np.nan, np.inf, 0.0, 1.0, 1.0], np.float32))


def test_erf_within_two_ulp():
    x = every_exponent()
    want = erf64(x.astype(np.float64))
    assert ulps(cpu.erf(x), want).max() <= 2
    assert ulps(common.erf(x), want).max() <= 4
    with np.errstate(under="ignore"):
        x64 = np.concatenate([np.linspace(-7, 7, 20_001), np.logspace(-300, 2, 5_000)])
        want = erf64(x64)
        assert (np.abs(common.erf(x64) - want) / np.spacing(np.abs(want))).max() <= 3  # math.erf itself may be 1 off
    edges = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    for erf in (cpu.erf, common.erf):
        np.testing.assert_array_equal(erf(edges), np.array([np.nan, 1, -1, 0, 0], np.float32))
        np.testing.assert_array_equal(np.signbit(erf(edges[3:])), [False, True])


@few
@given(leading, widths, seeds, layouts, st.sampled_from([0.01, 1.0, 5.0]))
def test_gelu_and_silu(lead, n, seed, layout, scale):
    x = lay_out(scale * normal(seed, *lead, n), layout)
    (x64,) = wide(x)
    close(cpu.gelu(x), x64 * cdf64(x64))
    g = lay_out(normal(seed + 1, *lead, n), layout)
    (g64,) = wide(g)
    close(cpu.gelu_backward(g, x), g64 * (cdf64(x64) + x64 * pdf64(x64)))
    gate = 1 / (1 + np.exp(-x64))
    close(cpu.silu(x), x64 * gate)
    close(cpu.sigmoid(x), gate)
    close(cpu.silu_backward(g, x), g64 * gate * (1 + x64 * (1 - gate)))


def test_gelu_keeps_digits_in_the_tail_and_nan():
    x = np.linspace(-12, -1, 1001, dtype=np.float32)
    want = np.array([v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])
    assert np.abs(cpu.gelu(x) / want - 1).max() < 2e-5
    out = cpu.gelu(np.array([np.nan, np.inf, 0.0], np.float32))
    np.testing.assert_array_equal(out, np.array([np.nan, np.inf, 0.0], np.float32))
    assert np.isnan(cpu.gelu_backward(np.ones(1, np.float32), np.array([np.nan], np.float32))[0])
    assert np.isnan(cpu.silu(np.array([np.nan], np.float32))[0])


# ---------------------------------------------------------------- normalisation


@few
@given(leading, widths, seeds, layouts)
def test_a_residual_and_its_norm(lead, n, seed, layout):
    """The sum, bit for bit, and what the norm's own kernel makes of it."""
    x, r = lay_out(spread(seed, *lead, n + 1), layout), lay_out(normal(seed + 1, *lead, n + 1), layout)
    weight, bias = lay_out(normal(seed + 2, n + 1), layout), lay_out(normal(seed + 3, n + 1), layout)
    y, s, mean, rstd = cpu.add_layer_norm_fwd(x, r, weight, bias, 0.1)
    np.testing.assert_array_equal(s, x + r)
    for got, want in zip((y, mean, rstd), cpu.layer_norm_fwd(x + r, weight, bias, 0.1), strict=True):
        close(got, want.astype(np.float64), 1.0)
    y, s, rstd = cpu.add_rms_norm_fwd(x, r, None, 0.1)
    np.testing.assert_array_equal(s, x + r)
    for got, want in zip((y, rstd), cpu.rms_norm_fwd(x + r, None, 0.1), strict=True):
        close(got, want.astype(np.float64), 1.0)


def layer_norm64(x, eps):
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + eps)
    return (x - mean) * rstd, mean[..., 0], rstd


@few
@given(leading, st.integers(2, 200), seeds, layouts, st.booleans(), st.booleans())
def test_layer_norm(lead, c, seed, layout, has_weight, has_bias):
    eps = 1e-5
    x, dy = lay_out(spread(seed, *lead, c), layout), lay_out(normal(seed + 1, *lead, c), layout)
    weight = lay_out(normal(seed + 2, c), layout) if has_weight else None
    bias = lay_out(normal(seed + 3, c), layout) if has_bias else None
    y, mean, rstd = cpu.layer_norm_fwd(x, weight, bias, eps)
    x64, dy64 = wide(x, dy)
    w64 = np.ones(c) if weight is None else weight.astype(np.float64)
    xhat, mean64, rstd64 = layer_norm64(x64, eps)
    close(y, xhat * w64 + (0 if bias is None else bias.astype(np.float64)))
    close(mean, mean64, 1.0)
    close(rstd, rstd64[..., 0])

    dx, dweight, dbias = cpu.layer_norm_bwd(dy, x, weight, mean, rstd, (True, has_weight, has_bias))
    g = dy64 * w64
    want = rstd64 * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
    close(dx, want, np.abs(g * rstd64).max(initial=0.0))
    rows = tuple(range(x.ndim - 1))
    assert (dweight is None, dbias is None) == (not has_weight, not has_bias)
    if has_weight:
        close(dweight, (dy64 * xhat).sum(rows), np.abs(dy64).max(initial=0.0))
    if has_bias:
        close(dbias, dy64.sum(rows), np.abs(dy64).max(initial=0.0))


@few
@given(leading, st.integers(1, 200), seeds, layouts, st.booleans())
def test_rms_norm(lead, c, seed, layout, has_weight):
    eps = 1e-6
    x, dy = lay_out(1 + normal(seed, *lead, c) / 4, layout), lay_out(normal(seed + 1, *lead, c), layout)
    weight = lay_out(normal(seed + 2, c), layout) if has_weight else None
    y, rstd = cpu.rms_norm_fwd(x, weight, eps)
    x64, dy64 = wide(x, dy)
    w64 = np.ones(c) if weight is None else weight.astype(np.float64)
    rstd64 = 1 / np.sqrt((x64**2).mean(-1, keepdims=True) + eps)
    close(y, x64 * rstd64 * w64)
    close(rstd, rstd64[..., 0])
    dx, dweight = cpu.rms_norm_bwd(dy, x, weight, rstd, (True, has_weight))
    g, xhat = dy64 * w64, x64 * rstd64
    close(dx, rstd64 * (g - xhat * (g * xhat).mean(-1, keepdims=True)), np.abs(g * rstd64).max(initial=0.0))
    if has_weight:
        close(dweight, (dy64 * xhat).sum(tuple(range(x.ndim - 1))), np.abs(dy64).max(initial=0.0))
    else:
        assert dweight is None


def test_layer_norm_of_constant_far_and_nan_rows():
    x = np.stack([np.full(33, 3.0), 1000 + np.linspace(-1, 1, 33), np.linspace(0, 1, 33), np.linspace(0, 1, 33)])
    x = x.astype(np.float32)
    x[2, 5], x[3, 5] = np.nan, np.inf
    y, _, _ = cpu.layer_norm_fwd(x, None, None, 1e-5)
    want, _, _ = layer_norm64(x[:2].astype(np.float64), 1e-5)
    assert np.abs(y[0]).max() == 0
    assert np.abs(y[1] - want[1]).max() < 1e-3  # x itself has 3 digits left beside 1000
    assert np.isnan(y[2:]).all()
    one = cpu.layer_norm_fwd(np.array([[7.0]], np.float32), None, np.array([2.0], np.float32), 1e-5)[0]
    assert one.tolist() == [[2.0]]


def test_sums_over_many_rows_keep_their_digits():
    dy = np.random.default_rng(0).random((50_000, 3)).astype(np.float32)
    x = normal(1, 50_000, 3)
    _, mean, rstd = cpu.layer_norm_fwd(x, None, None, 1e-5)
    close(cpu.layer_norm_bwd(dy, x, None, mean, rstd, (True, True, True))[2], dy.astype(np.float64).sum(0))


# ---------------------------------------------------------------- cross-entropy


@few
@given(st.integers(0, 40), widths, seeds, layouts, st.sampled_from([0.0, 0.1]), st.sampled_from([-100, 0]))
def test_cross_entropy(n, c, seed, layout, smoothing, ignore):
    rng = np.random.default_rng(seed)
    logits, dloss = lay_out(3 * normal(seed, n, c), layout), lay_out(normal(seed + 1, n), layout)
    target = rng.integers(0, c, n)
    target[rng.random(n) < 0.2] = ignore
    target.flags.writeable = False
    loss, lse = cpu.cross_entropy_fwd(logits, target, ignore, smoothing)
    logits64, dloss64 = wide(logits, dloss)
    log_p = log_softmax64(logits64)
    kept = (target != ignore).astype(np.float64)
    place = np.where(target == ignore, 0, target)
    picked = np.take_along_axis(log_p, place[:, None], 1)[:, 0]
    largest = np.abs(log_p).max(initial=0.0)
    close(loss, kept * (-(1 - smoothing) * picked - smoothing * log_p.mean(1)), largest)
    close(lse, np.log(np.exp(logits64).sum(1)), np.abs(logits64).max(initial=0.0))
    want = np.exp(log_p) - smoothing / c - (1 - smoothing) * (np.arange(c) == place[:, None])
    dlogits = cpu.cross_entropy_bwd(dloss, logits, target, lse, ignore, smoothing)
    close(dlogits, want * (kept * dloss64)[:, None], np.abs(dloss64).max(initial=0.0))
    assert not dlogits[target == ignore].any()


def test_cross_entropy_with_nan_and_infinite_logits():
    logits = normal(0, 4, 20)
    logits[0, 3], logits[1, 3], logits[2, 3] = np.nan, -np.inf, np.inf
    target = np.array([1, 1, 3, 5])
    loss, lse = cpu.cross_entropy_fwd(logits, target, -100, 0.0)
    assert np.isnan(loss).tolist() == [True, False, True, False]
    dlogits = cpu.cross_entropy_bwd(np.ones(4, np.float32), logits, target, lse, -100, 0.0)
    assert np.isnan(dlogits).any(1).tolist() == [True, False, True, False]
    assert dlogits[1, 3] == 0
    assert cpu.cross_entropy_fwd(logits, np.array([1, 3, 1, 1]), -100, 0.0)[0][1] == np.inf  # the label has no chance


# ---------------------------------------------------------------- embedding gradient, optimizer


@few
@given(st.integers(1, 9), st.integers(0, 60), st.integers(0, 40), seeds, layouts)
def test_add_rows(v, n, c, seed, layout):
    buffer, rows = normal(seed, v, c), lay_out(normal(seed + 1, n, c), layout)
    ids = np.random.default_rng(seed).integers(-v, v, n)
    want = buffer.astype(np.float64)
    np.add.at(want, ids, rows.astype(np.float64))
    cpu.add_rows(buffer, ids, rows)
    close(buffer, want, np.abs(rows).max(initial=0.0))


def test_add_rows_in_order_with_equal_ids_and_bad_ids():
    rows, ids = normal(0, 500, 7), np.full(500, 2)
    buffer, want = np.zeros((4, 7), np.float32), np.zeros((4, 7), np.float32)
    cpu.add_rows(buffer, ids, rows)
    np.add.at(want, ids, rows)
    np.testing.assert_array_equal(buffer, want)  # bit for bit: the order of the additions is part of the contract
    for bad in (4, -5):
        before = buffer.copy()
        with pytest.raises(IndexError, match=f"index {bad} is out of range for a table of 4 rows"):
            cpu.add_rows(buffer, np.array([0, bad]), rows[:2])
        np.testing.assert_array_equal(buffer, before)


ADAM = {"lr": 3e-3, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}


@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("amsgrad", [True, False])
@pytest.mark.parametrize("maximize", [True, False])
def test_adam_update(decoupled, amsgrad, maximize):
    shapes = [(3, 5), (17,), (), (2, 3, 4), (0,)]
    state = [[normal(i, *shape) for i, shape in enumerate(shapes)]]
    state += [[np.zeros(shape, np.float32) for shape in shapes] for _ in range(3)]
    state64 = [wide(*arrays) for arrays in state]
    for count in (1, 2, 3):
        grads = [normal(10 * count + i, *shape) for i, shape in enumerate(shapes)]
        for grad in grads:
            grad.flags.writeable = False
        for (p, m, v, top), g, dtype_step in ((state, grads, count), (state64, wide(*grads), [count] * len(shapes))):
            options = {"decoupled": decoupled, "amsgrad": amsgrad, "maximize": maximize, "step": dtype_step}
            cpu.adam_update(p, g, m, v, top if amsgrad else None, **ADAM, **options)
        for arrays, arrays64 in zip(state, state64, strict=True):
            for got, want in zip(arrays, arrays64, strict=True):
                close(got, want)


def test_adam_by_hand():
    p, g, m, v = (np.array([x]) for x in (1.0, 0.5, 0.0, 0.0))
    common.adam_update([p], [g], [m], [v], None, **ADAM | {"lr": 0.1}, decoupled=True, step=1)
    assert m[0] == pytest.approx(0.05) and v[0] == pytest.approx(0.0025)
    assert p[0] == pytest.approx(1.0 * (1 - 0.01) - 0.1 * 0.5 / (0.5 + 1e-8))  # the first step is lr long


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("momentum, dampening, nesterov", [(0.0, 0.0, False), (0.9, 0.2, False), (0.9, 0.0, True)])
def test_sgd_update(momentum, dampening, nesterov, maximize):
    """Three steps over arrays of many sizes, one of them strided, which the definition takes."""
    shapes = [(3,), (40, 50), (0,), (7, 1, 2), (70_000,)]
    p = [normal(i, *shape) for i, shape in enumerate(shapes)]
    p[1] = np.ascontiguousarray(p[1].T).T
    b = [np.zeros_like(x) for x in p] if momentum else None
    p64, b64 = wide(*p), None if b is None else wide(*b)
    options = {"lr": 0.1, "momentum": momentum, "dampening": dampening, "weight_decay": 0.3, "nesterov": nesterov}
    for step in range(3):
        g = [normal(10 * step + i, *shape) for i, shape in enumerate(shapes)]
        cpu.sgd_update(p, g, b, maximize=maximize, first=step == 0, **options)
        common.sgd_update(p64, wide(*g), b64, maximize=maximize, first=step == 0, **options)
    for got, want in zip([*p, *(b or [])], [*p64, *(b64 or [])], strict=True):
        close(got, want)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("momentum, centered", [(0.0, False), (0.9, False), (0.9, True), (0.0, True)])
def test_rmsprop_update(momentum, centered, maximize):
    shapes = [(3,), (40, 50), (0,), (7, 1, 2), (70_000,)]
    p = [normal(i, *shape) for i, shape in enumerate(shapes)]
    p[1] = np.ascontiguousarray(p[1].T).T
    squares = [np.zeros_like(x) for x in p]
    means = [np.zeros_like(x) for x in p] if centered else None
    moving = [np.zeros_like(x) for x in p] if momentum else None
    state = [squares, means, moving]
    p64, state64 = wide(*p), [None if arrays is None else wide(*arrays) for arrays in state]
    options = {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.3, "momentum": momentum, "maximize": maximize}
    for step in range(3):
        g = [normal(10 * step + i, *shape) for i, shape in enumerate(shapes)]
        cpu.rmsprop_update(p, g, *state, **options)
        common.rmsprop_update(p64, wide(*g), *state64, **options)
    for mine, theirs in zip([p, *state], [p64, *state64], strict=True):
        for got, want in zip(mine or [], theirs or [], strict=True):
            close(got, want)


@pytest.mark.parametrize("maximize", [False, True])
def test_adagrad_update(maximize):
    """Each array has a step count of its own, and so a rate of its own."""
    shapes = [(3,), (40, 50), (0,), (7, 1, 2), (70_000,)]
    p = [normal(i, *shape) for i, shape in enumerate(shapes)]
    p[1] = np.ascontiguousarray(p[1].T).T
    sums = [np.full_like(x, 0.1) for x in p]
    p64, sums64 = wide(*p), wide(*sums)
    options = {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.3, "eps": 1e-10, "maximize": maximize}
    for step in range(3):
        g, steps = [normal(10 * step + i, *shape) for i, shape in enumerate(shapes)], [step + i for i in range(1, 6)]
        cpu.adagrad_update(p, g, sums, steps=steps, **options)
        common.adagrad_update(p64, wide(*g), sums64, steps=steps, **options)
    for got, want in zip([*p, *sums], [*p64, *sums64], strict=True):
        close(got, want)


def test_adam_update_writes_through_strided_parameters():
    base = normal(0, 4, 6)
    p, want = base[:, ::2], base[:, ::2].astype(np.float64)
    g = normal(1, 4, 3)
    zeros = [np.zeros((4, 3), np.float32) for _ in range(2)]
    zeros64 = wide(*zeros)
    cpu.adam_update([p], [g], zeros[:1], zeros[1:], None, **ADAM, decoupled=True, step=1)
    common.adam_update([want], wide(g), zeros64[:1], zeros64[1:], None, **ADAM, decoupled=True, step=1)
    close(base[:, ::2].copy(), want)


def test_sum_of_squares():
    arrays = [normal(0, 1000), normal(1, 3, 4)[:, ::2], np.zeros((0, 2), np.float32), np.full(3, 1e25, np.float32)]
    arrays += [np.array([1.5, 2.0]), np.array(2.0, np.float32)]
    want = math.fsum(float(x) ** 2 for a in arrays for x in a.ravel().tolist())
    assert cpu.sum_of_squares(arrays) == pytest.approx(want, rel=1e-12)
    assert math.isnan(cpu.sum_of_squares([np.array([np.nan, 1.0], np.float32)]))
    assert cpu.sum_of_squares([]) == 0.0


# ---------------------------------------------------------------- relu, sums of rows


@few
@given(leading, widths, seeds, layouts)
def test_relu(lead, n, seed, layout):
    x, dy = lay_out(normal(seed, *lead, n), layout), lay_out(normal(seed + 1, *lead, n), layout)
    y = cpu.relu(x)
    close(y, np.maximum(x, 0.0).astype(np.float64))
    close(cpu.relu_backward(dy, y), np.where(y > 0, dy, 0.0).astype(np.float64))


def test_relu_of_special_numbers():
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0], np.float32)
    np.testing.assert_array_equal(cpu.relu(x), [np.nan, np.inf, 0.0, 0.0, 0.0])
    dy = np.array([1.0, 2.0, np.nan, np.inf, 3.0], np.float32)
    np.testing.assert_array_equal(cpu.relu_backward(dy, cpu.relu(x)), [1.0, 2.0, 0.0, 0.0, 0.0])


@few
@given(st.integers(0, 300), widths, seeds, layouts, st.booleans())
def test_sums_of_rows(rows, n, seed, layout, keepdims):
    x = lay_out(normal(seed, rows, n), layout)
    want = x.astype(np.float64).sum(axis=0, keepdims=keepdims)
    close(cpu.compiled().rows.sum_of_rows(x, keepdims), want, magnitude=4.0 * math.sqrt(rows))
