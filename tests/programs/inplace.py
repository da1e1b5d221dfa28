"""Programs that write in place: with and without a graph, through views, into leaves, between dtypes."""

from typing import Any

from programs.common import error_of


def _leaf(m: Any, *values: float) -> Any:
    return m.tensor(list(values), requires_grad=True)


def _grid(m: Any) -> Any:
    return m.arange(6.0).reshape(2, 3)


def _written(method: str, *args: Any, start: Any = None, **options: Any) -> Any:
    """A program that calls one in-place method: on a plain tensor, and on an inner one under grad."""

    def program(m):
        made = [arg(m) if callable(arg) else arg for arg in args]
        plain = start(m) if start else m.tensor([0.5, 2.0, 1.5])
        leaf = plain.clone().requires_grad_()
        inner = leaf * 1
        results = [getattr(plain, method)(*made, **options), getattr(inner, method)(*made, **options)]
        (inner * m.arange(1.0, inner.numel() + 1).reshape(inner.shape)).sum().backward()
        return [results[0] is plain, results[1] is inner, plain, inner, leaf.grad]

    return program


_OF_ONE = (
    "sign_", "ceil_", "trunc_", "frac_", "exp2_", "expm1_", "log1p_", "log2_", "log10_", "erf_", "sinh_", "cosh_",
    "sin_", "cos_", "tan_", "atan_", "negative_", "absolute_", "nan_to_num_", "fix_", "arctan_",
)  # fmt: skip
_OF_TWO = (
    "subtract_", "multiply_", "divide_", "true_divide_", "fmod_", "atan2_", "eq_", "ne_", "lt_", "le_", "gt_", "ge_",
    "not_equal_", "greater_equal_",
)  # fmt: skip

CASES = {
    "add_": _written("add_", 2.0),
    "add_ alpha": _written("add_", lambda m: m.tensor([1.0, 2.0, 3.0]), alpha=0.5),
    "sub_": _written("sub_", lambda m: m.tensor([1.0, 2.0, 3.0])),
    "mul_": _written("mul_", lambda m: m.tensor([1.0, 2.0, 3.0])),
    "div_": _written("div_", 4),
    "pow_": _written("pow_", 2),
    "neg_": _written("neg_"),
    "abs_": _written("abs_"),
    "exp_": _written("exp_"),
    "log_": _written("log_"),
    "sqrt_": _written("sqrt_"),
    "rsqrt_": _written("rsqrt_"),
    "square_": _written("square_"),
    "reciprocal_": _written("reciprocal_"),
    "tanh_": _written("tanh_"),
    "sigmoid_": _written("sigmoid_"),
    "relu_": _written("relu_"),
    "floor_": _written("floor_"),
    "round_": _written("round_"),
    "clamp_": _written("clamp_", 0.6, 1.6),
    "clamp_min_": _written("clamp_min_", 0.6),
    "clamp_max_": _written("clamp_max_", 1.6),
    "lerp_": _written("lerp_", lambda m: m.tensor([1.0, 2.0, 3.0]), 0.25),
    "addcmul_": _written("addcmul_", lambda m: m.ones(3), lambda m: m.tensor([1.0, 2.0, 3.0]), value=0.5),
    "addcdiv_": _written("addcdiv_", lambda m: m.ones(3), lambda m: m.tensor([1.0, 2.0, 3.0]), value=0.5),
    **{name: _written(name) for name in _OF_ONE},
    **{name: _written(name, start=lambda m: m.tensor([0.5, -0.25, 0.1])) for name in ("asin_", "acos_")},
    **{name: _written(name, lambda m: m.tensor([1.0, 2.0, 1.0])) for name in _OF_TWO},
    "cumsum_": _written("cumsum_", 0),
    "cumprod_": _written("cumprod_", 0),
    "addmm_": _written("addmm_", lambda m: m.ones(2, 4), lambda m: m.ones(4, 3), beta=2, start=_grid),
    "addmv_": _written("addmv_", lambda m: m.ones(3, 4), lambda m: m.ones(4), alpha=0.5),
    "addbmm_": _written("addbmm_", lambda m: m.ones(2, 2, 4), lambda m: m.ones(2, 4, 3), start=_grid),
    "baddbmm_": _written(
        "baddbmm_", lambda m: m.ones(2, 2, 4), lambda m: m.ones(2, 4, 3), start=lambda m: m.ones(2, 2, 3)
    ),
    "bitwise_and_": lambda m: m.tensor([5, 6]).bitwise_and_(m.tensor([4, 3])),
    "bitwise_or_": lambda m: m.tensor([5, 6]).bitwise_or_(1),
    "bitwise_xor_": lambda m: m.tensor([True, False]).bitwise_xor_(m.tensor([True, True])),
    "bitwise_not_": lambda m: m.tensor([5, -6]).bitwise_not_(),
    "eq_ of ints": lambda m: m.tensor([1, 2, 3]).eq_(2),
    "logical_and_": lambda m: m.tensor([1.0, 0.0]).logical_and_(m.tensor([3, 3])),
    "logical_or_": lambda m: m.tensor([1, 0]).logical_or_(m.tensor([False, False])),
    "logical_xor_": lambda m: m.tensor([True, False]).logical_xor_(m.tensor([True, True])),
    "logical_not_ of floats": lambda m: m.tensor([0.5, 0.0]).logical_not_(),
    "logical_not_ of bools": lambda m: m.tensor([True, False]).logical_not_(),
    "comparison into a leaf": lambda m: _leaf(m, 1.0).gt_(0),
    "sign_ into a leaf": lambda m: _leaf(m, 1.0).sign_(),
    "sin_ of ints": lambda m: m.tensor([1, 2]).sin_(),
    "swapaxes_": _written("swapaxes_", 0, 1, start=_grid),
    "copy_": _written("copy_", lambda m: m.tensor([1.0, 2.0, 3.0])),
    "copy_ broadcast": _written("copy_", lambda m: m.tensor(7)),
    "fill_": _written("fill_", 3.0),
    "zero_": _written("zero_"),
    "masked_fill_": _written("masked_fill_", lambda m: m.tensor([True, False, True]), -1.0),
    "scatter_": _written("scatter_", 0, lambda m: m.tensor([2, 0]), lambda m: m.tensor([10.0, 20.0])),
    "scatter_ of a value": _written("scatter_", 0, lambda m: m.tensor([2, 0]), 5.0),
    "scatter_add_": _written("scatter_add_", 0, lambda m: m.tensor([2, 0, 2]), lambda m: m.tensor([10.0, 20.0, 30.0])),
    "index_add_": _written("index_add_", 0, lambda m: m.tensor([2, 0, 2]), lambda m: m.tensor([10.0, 20.0, 30.0])),
    "index_copy_": _written("index_copy_", 0, lambda m: m.tensor([2, 0]), lambda m: m.tensor([10.0, 20.0])),
    "index_fill_": _written("index_fill_", 0, lambda m: m.tensor([2, 0]), 9.0),
    "index_put_": _written("index_put_", lambda m: (m.tensor([0, 0]),), lambda m: m.tensor([5.0, 5.0])),
    "index_put_ accumulate": _written(
        "index_put_", lambda m: (m.tensor([0, 0]),), lambda m: m.tensor([5.0, 6.0]), accumulate=True
    ),
    "tril_": _written("tril_", start=_grid),
    "triu_": _written("triu_", start=_grid),
    "fill_diagonal_": _written("fill_diagonal_", 7.0, start=lambda m: m.ones(3, 3)),
    "unsqueeze_": _written("unsqueeze_", 0),
    "squeeze_": _written("squeeze_", start=lambda m: m.arange(3.0).reshape(1, 3, 1)),
    "t_": _written("t_", start=_grid),
    "transpose_": _written("transpose_", 0, 1, start=_grid),
    "int += float": lambda m: m.tensor([1, 2]).add_(1.5),
    "int /= int": lambda m: m.tensor([1, 2]).div_(2),
    "int *= float tensor": lambda m: m.tensor([1, 2]).mul_(m.tensor([1.5, 2.5])),
    "bool += int": lambda m: m.tensor([True]).add_(1),
    "float += int": lambda m: m.tensor([1.5]).add_(m.tensor([1])),
    "float32 += float64": lambda m: m.tensor([1.5]).add_(m.tensor([1.25], dtype=m.float64)),
    "float16 += float32": lambda m: m.tensor([1.5], dtype=m.float16).add_(m.tensor([1.25])),
    "uint8 += int": lambda m: m.tensor([250, 3], dtype=m.uint8).add_(m.tensor([10, 1])),
    "int32 += int64": lambda m: m.tensor([1, 2], dtype=m.int32).add_(m.tensor([10, 1])),
    "int //= int": lambda m: m.tensor([7, -7]).floor_divide_(2),
    "result of a larger shape": lambda m: m.ones(1, 3).add_(m.ones(2, 3)),
    "0-d += 1-d": lambda m: m.tensor(1.0).add_(m.ones(2)),
    "shapes that do not fit": lambda m: m.ones(3).add_(m.ones(2)),
    "copy_ that does not fit": lambda m: m.ones(3).copy_(m.ones(2)),
    "copy_ of ints": lambda m: m.ones(3).copy_(m.tensor([1, 2, 3])),
    "copy_ of floats into ints": lambda m: m.ones(3, dtype=m.int64).copy_(m.tensor([1.7, -2.7, 3.0])),
    "fill_ of a vector": lambda m: m.ones(3).fill_(m.ones(2)),
    "fill_ ints with a float": lambda m: m.ones(3, dtype=m.int64).fill_(2.5),
    "x[...] of floats into ints": lambda m: m.arange(3).index_put_((m.tensor([0]),), m.tensor([1.0])),
    "leaf +=": lambda m: _leaf(m, 1.0).add_(1),
    "leaf fill_": lambda m: _leaf(m, 1.0).fill_(1),
    "leaf zero_": lambda m: _leaf(m, 1.0).zero_(),
    "leaf x[0] =": lambda m: _leaf(m, 1.0).__setitem__(0, 1.0),
    "leaf normal_": lambda m: _leaf(m, 1.0).normal_(),
    "leaf unsqueeze_": lambda m: _leaf(m, 1.0).unsqueeze_(0).shape,
    "leaf detached +=": lambda m: _leaf(m, 1.0).detach().add_(1),
    "leaf data +=": lambda m: _leaf(m, 1.0).data.add_(1),
    "expanded +=": lambda m: m.ones(1, 3).expand(2, 3).add_(1),
    "expanded [0] =": lambda m: m.ones(1).expand(3).__setitem__(slice(None), m.tensor([1.0, 2.0, 3.0])),
    "expanded copy_": lambda m: m.ones(1).expand(3).copy_(m.tensor([1.0, 2.0, 3.0])),
    "broadcast that stayed as it was": lambda m: m.ones(3).expand(3).add_(1),
}


def identity_of_the_object(m):
    x = m.ones(2)
    y = x
    y += 1
    return [x is y, x]


def residual_under_grad(m):
    x = _leaf(m, 1.0, 2.0)
    out = x * 2
    same = out
    out += x
    (out * out).sum().backward()
    return [same is out, out, x.grad]


def residual_of_a_computed_shortcut(m):
    x, w = _leaf(m, 1.0, 2.0), _leaf(m, 3.0, 4.0)
    out = x * w
    out += x * x
    out *= 2
    out.sum().backward()
    return [x.grad, w.grad]


def view_of_a_leaf(m):
    x = _leaf(m, 1.0, 2.0)
    with m.no_grad():
        x[0].add_(1)
    return [
        error_of(lambda: x[0].add_(1)),
        error_of(lambda: x[0:1][0].add_(1)),
        error_of(lambda: x.view(2, 1).zero_()),
        x,
    ]


def needed_value_overwritten(m):
    x = _leaf(m, 1.0, 2.0)
    y = x.exp()
    with m.no_grad():
        y += 1
    return error_of(y.sum().backward)


def needed_value_overwritten_under_grad(m):
    x = _leaf(m, 1.0, 2.0)
    y = x.exp()
    z = y * 1
    z += 1
    z.sum().backward()
    return x.grad


def needed_input_overwritten(m):
    x = _leaf(m, 1.0, 2.0)
    y = x * x
    with m.no_grad():
        x += 1
    return error_of(y.sum().backward)


def needed_input_overwritten_by_data(m):
    x = _leaf(m, 1.0, 2.0)
    y = x * x
    x.data += 1
    y.sum().backward()
    return [x, x.grad.shape]


def needed_constant_overwritten(m):
    x, c = _leaf(m, 1.0, 2.0), m.tensor([3.0, 4.0])
    y = x * c
    c.add_(1)
    return error_of(y.sum().backward)


def needed_constant_overwritten_through_a_view(m):
    x, c = _leaf(m, 1.0, 2.0), m.tensor([3.0, 4.0])
    y = x * c
    c[0].add_(1)
    return error_of(y.sum().backward)


def needed_constant_overwritten_through_detach(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * 1
    y = h * h
    h.detach().add_(1)
    return error_of(y.sum().backward)


def not_needed_value_overwritten(m):
    x = _leaf(m, 1.0, 2.0)
    y = x + 1
    with m.no_grad():
        y += 10
    y.sum().backward()
    return [y, x.grad]


def sgd_step(m):
    w = _leaf(m, 1.0, 2.0)
    kept = w
    (w * w).sum().backward()
    with m.no_grad():
        w -= 0.1 * w.grad
    return [kept is w, w, w.is_leaf, w.requires_grad]


def sgd_step_by_data(m):
    w = _leaf(m, 1.0, 2.0)
    (w * w).sum().backward()
    w.data -= 0.1 * w.grad
    w.data = w.data * 2
    return [w, w.is_leaf, w.grad]


def data_of_another_shape(m):
    w = _leaf(m, 1.0, 2.0)
    w.data = m.ones(3)
    (w * 2).sum().backward()
    return [w, w.grad]


def data_shares_memory(m):
    w = _leaf(m, 1.0, 2.0)
    d = w.data
    d[0] = 9
    return [w, d.requires_grad]


def versions(m):
    x = m.ones(3)
    seen = [x._version]
    x += 1
    seen.append(x._version)
    x[0] = 5
    seen.append(x._version)
    view = x[1:]
    view.mul_(2)
    twin = x.detach()
    twin.add_(1)
    other = x.data
    other.add_(1)
    return [*seen, x._version, view._version, twin._version, x]


def views_see_writes(m):
    x = m.zeros(2, 3)
    row, column, flat, turned = x[0], x[:, 1], x.view(-1), x.t()
    x[0, 1] = 5
    row[2] = 7
    flat[3] = 9
    turned[2, 1] = 11
    x += 1
    return [x, row, column, flat, turned]


def reshape_of_contiguous_is_a_view(m):
    x = m.zeros(2, 3)
    x.reshape(6)[0] = 4
    x.unsqueeze(0)[0, 1, 1] = 5
    x.squeeze().transpose(0, 1)[2, 0] = 6
    return x


def advanced_reads_are_copies(m):
    x = m.zeros(4)
    x[m.tensor([0, 1])].add_(5)
    x[x == 0].add_(5)
    return x


def kv_cache(m):
    with m.no_grad():
        cache = m.zeros(2, 4, 2)
        window = cache[:, :3]
        for t in range(3):
            cache[:, t] = m.full((2, 2), float(t + 1))
        cache[:, 3:4].copy_(m.full((2, 1, 2), 9.0))
    return [window, cache]


def kv_cache_filled_from_tensors_with_graph(m):
    x = m.ones(2, 2, requires_grad=True)
    cache = m.zeros(2, 3, 2)
    with m.no_grad():
        cache[:, 1] = x * 2
    return [cache, cache.requires_grad]


def augmented_item(m):
    x = m.arange(4.0)
    x[1] += 10
    x[2:] *= 2
    x[m.tensor([0, 0])] += 1
    x[x > 10] -= 5
    return x


def augmented_item_under_grad(m):
    x, y = _leaf(m, 1.0, 2.0, 3.0), _leaf(m, 5.0, 6.0)
    h = x * 2
    h[1] += 10
    h[:2] *= y
    (h * h).sum().backward()
    return [h, x.grad, y.grad]


def item_written_under_grad(m):
    x, v = _leaf(m, 1.0, 2.0, 3.0), _leaf(m, 7.0)
    h = x * x
    h[0] = v
    h[1:2] = 4.0
    h.sum().backward()
    return [h, x.grad, v.grad]


def item_with_a_graph_written_into_a_plain_tensor(m):
    v = _leaf(m, 7.0, 8.0)
    x = m.zeros(3)
    x[1:] = v * 2
    (x * x).sum().backward()
    return [x, v.grad]


def rows_filled_one_by_one(m):
    x = m.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    out = m.zeros(2, 2)
    for i in range(2):
        out[i] = x[i] * (i + 1)
    out.pow(2).sum().backward()
    return [out, x.grad]


def mask_written_under_grad(m):
    x = _leaf(m, -1.0, 2.0, -3.0)
    h = x * 2
    h[h < 0] = 0.0
    h.sum().backward()
    return [h, x.grad]


def mask_written_with_values_under_grad(m):
    x, v = _leaf(m, -1.0, 2.0, -3.0), _leaf(m, 5.0, 6.0)
    h = x * 2
    h[h < 0] = v
    (h * h).sum().backward()
    return [h, x.grad, v.grad]


def int_and_array_written_under_grad(m):
    x, v = m.ones(2, 3, 4, requires_grad=True), m.tensor([1.0, 2.0], requires_grad=True)
    h = x * 1
    h[1, :, m.tensor([0, 2])] = v
    (h * m.arange(24.0).reshape(2, 3, 4)).sum().backward()
    return [h, x.grad, v.grad]


def row_added_to_in_place_under_grad(m):
    x, h = m.ones(2, 2, requires_grad=True), _leaf(m, 3.0, 4.0)
    y = x * 2
    y[0].add_(h)
    (y * y).sum().backward()
    return [y, x.grad, h.grad]


def slice_zeroed_in_place_under_grad(m):
    x = m.ones(2, 3, requires_grad=True)
    y = x * 2
    y[:, 1:].zero_()
    (y * y).sum().backward()
    return [y, x.grad]


def view_held_and_written_under_grad(m):
    x = m.ones(2, 2, requires_grad=True)
    y = x * 2
    row = y[0]
    row.mul_(3)
    (y * y).sum().backward()
    return [y, row, x.grad]


def view_held_and_used_after_the_write(m):
    x = m.ones(2, 2, requires_grad=True)
    y = x * 2
    row = y[0]
    row.mul_(3)
    (row * row).sum().backward()
    return x.grad


def two_views_of_one_tensor(m):
    x = m.ones(4, requires_grad=True)
    y = x * 2
    left, right, square = y[:3], y[1:], y.view(2, 2)
    left.mul_(3)
    right.add_(1)
    square[1].mul_(2)
    (y * m.arange(1.0, 5.0)).sum().backward()
    return [y, left, right, square, x.grad]


def views_through_reshapes_and_transposes(m):
    x = m.arange(6.0).requires_grad_()
    y = x * 1
    y.view(2, 3).t()[1].mul_(10)
    y.view(3, 2).unsqueeze(0).permute(2, 0, 1)[0, :, 1:].neg_()
    (y * m.arange(6.0)).sum().backward()
    return [y, x.grad]


def view_used_before_and_after_a_write(m):
    x = m.ones(3, requires_grad=True)
    y = x * 2
    v = y[:2]
    before = v + 0
    y.mul_(5)
    (before.sum() + v.sum()).backward()
    return [before, v, x.grad]


def plain_view_of_a_buffer_that_joins_the_graph(m):
    w = m.ones(2, requires_grad=True)
    buffer = m.zeros(3)
    v = buffer[1:]
    buffer[1:] = w * 3
    return [v, *m.autograd.grad(v.sum(), w)]


def detached_twin_sees_a_recorded_write(m):
    x = m.ones(2, requires_grad=True)
    y = x * 2
    twin = y.detach()
    y.add_(1)
    return [twin, y]


def diagonal_is_a_view(m):
    x, y = m.zeros(3, 3), m.ones(2, 3, requires_grad=True) * 2
    x.diagonal().fill_(1)
    x.diagonal(1).add_(m.tensor([5.0, 6.0]))
    y.diagonal(1).mul_(3)
    (g,) = m.autograd.grad((y * y).sum(), y)
    return [x, y, g]


def whole_numbers_rounded_are_copies(m):
    x = m.tensor([1, 2])
    for y in (x.floor(), x.ceil(), x.trunc(), x.round(), x.sign(), x.clamp(min=0), x.abs()):
        y.add_(5)
    return x


def view_made_under_no_grad(m):
    x = m.ones(2, requires_grad=True)
    y = x * 2
    with m.no_grad():
        v = y[0]
    return error_of(lambda: v.mul_(x[0]))


def copy_into_a_slice_under_grad(m):
    x = _leaf(m, 1.0, 2.0)
    out = m.zeros(2, 2)
    out[1].copy_(x * 3)
    out.sum().backward()
    return [out, x.grad]


def source_overwritten_by_itself(m):
    x = m.arange(5.0)
    x[1:] = x[:-1].clone()
    return x


def overlapping_add(m):
    x = m.arange(4.0)
    x += x
    return x


def transposed_add(m):
    x = m.arange(4.0).reshape(2, 2)
    x += x.t().clone()
    return x


def grad_written_in_place(m):
    x = _leaf(m, 3.0, 4.0)
    (x * x).sum().backward()
    x.grad.mul_(0.5)
    x.grad.clamp_(max=3.5)
    x.grad[0] = 1
    return x.grad


def detached_twin_sees_writes(m):
    x = m.ones(2)
    twin = x.detach()
    x += 1
    twin[0] = 7
    return [x, twin]


def numpy_sees_writes(m):
    x = m.ones(2)
    array = x.numpy()
    x.add_(1)
    array[0] = 9
    return [x, array]


def from_numpy_sees_writes(m):
    import numpy as np

    array = np.ones(2, np.float32)
    x = m.from_numpy(array)
    x.add_(1)
    array[0] = 9
    return [x, array]


def clone_is_apart(m):
    x = m.ones(2)
    y = x.clone()
    y += 1
    return [x, y]


def contiguous_of_contiguous_is_the_same(m):
    x = m.ones(2, 3)
    return [x.contiguous() is x, x.t().contiguous().data_ptr() == x.data_ptr()]


def requires_grad_after_writes(m):
    x = m.zeros(3)
    x[0] = 2
    x.requires_grad_()
    (x * x).sum().backward()
    return x.grad


def no_grad_write_to_a_leaf(m):
    w = _leaf(m, 1.0, 2.0)
    with m.no_grad():
        w[0] = 5
        w.clamp_(max=3.0)
        w.copy_(w * 2)
    (w * w).sum().backward()
    return [w, w.grad]


def inference_mode_write(m):
    with m.inference_mode():
        x = m.ones(2)
        x += 1
        x[0] = 5
    return x


def squeeze_in_place_keeps_the_memory(m):
    x = m.zeros(1, 3)
    x.squeeze_(0)
    x[1] = 4
    y = m.zeros(3)
    v = y.view(3)
    y.unsqueeze_(1)
    v[0] = 2
    return [x, y]


def self_aliasing_in_place(m):
    x = _leaf(m, 1.0, 2.0)
    y = x * 1
    y.add_(y)
    y.sum().backward()
    return [y, x.grad]


def dropout_style_mask(m):
    x, mask = _leaf(m, 1.0, 2.0), m.tensor([True, False])
    y = x * 3
    y.masked_fill_(mask, float("-inf"))
    p = y.softmax(-1)
    p.sum().backward()
    return [p, x.grad]


def integer_powers_in_place(m):
    x = m.tensor([2, 3])
    x **= 2
    x %= 5
    x |= 8
    x &= 12
    return x


def tied_rebinding(m):
    x = _leaf(m, 1.0, 2.0)
    y = x * 2
    z = y
    z += 1
    (y * z).sum().backward()
    return [y is z, x.grad]
