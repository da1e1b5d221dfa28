"""autograd.Function: ops of the user's own, compared with the same computation in ordinary ops, to second order."""

import gc
import weakref

import pytest

import minigrad as mg
from minigrad.autograd import Function
from minigrad.function import once_differentiable


class Cube(Function):
    """x^3 with its gradient from the saved input."""

    @staticmethod
    def forward(ctx, x):
        assert not mg.is_grad_enabled()
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy


class Exp(Function):
    """exp with its gradient from the saved output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


class Scaled(Function):
    """a * b * k, with the context set up apart."""

    @staticmethod
    def forward(a, b, k):
        return a * b * k

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.k = inputs
        ctx.save_for_backward(a, None, b)

    @staticmethod
    def backward(ctx, dy):
        a, nothing, b = ctx.saved_tensors
        assert nothing is None
        return dy * b * ctx.k, dy * a * ctx.k, None


class SinCos(Function):
    """Two outputs, and a third that has no gradient."""

    @staticmethod
    def forward(ctx, x):
        sin, cos, positive = x.sin(), x.cos(), (x > 0).to(x.dtype)
        ctx.save_for_backward(sin, cos)
        ctx.mark_non_differentiable(positive)
        return sin, cos, positive, "a name"

    @staticmethod
    def backward(ctx, dsin, dcos, dpositive, dname):
        sin, cos = ctx.saved_tensors
        assert dname is None and not dpositive.any()
        return dsin * cos - dcos * sin


def leaf(*shape: int) -> mg.Tensor:
    return mg.randn(*shape, dtype=mg.float64).requires_grad_()


@pytest.mark.parametrize(
    ("ours", "plain", "count"),
    [
        (Cube.apply, lambda x: x**3, 1),
        (Exp.apply, lambda x: x.exp(), 1),
        (lambda a, b: Scaled.apply(a, b, 2.5), lambda a, b: a * b * 2.5, 2),
        (lambda x: SinCos.apply(x)[0] * SinCos.apply(x)[1].exp(), lambda x: x.sin() * x.cos().exp(), 1),
        (lambda x: SinCos.apply(x)[1], lambda x: x.cos(), 1),
        (lambda x: Cube.apply(Exp.apply(x)) * x, lambda x: (3 * x).exp() * x, 1),
    ],
    ids=["saved input", "saved output", "setup_context", "two outputs", "one of two outputs", "chained"],
)
def test_values_and_gradients_of_both_orders(ours, plain, count) -> None:
    inputs = [leaf(3, 2) for _ in range(count)]
    y, expected = ours(*inputs), plain(*inputs)
    assert y.allclose(expected)
    for a, b in zip(mg.autograd.grad(y.sum(), inputs), mg.autograd.grad(expected.sum(), inputs), strict=True):
        assert a.allclose(b)
    assert mg.gradcheck(ours, inputs) and mg.gradgradcheck(ours, inputs)


def test_third_order() -> None:
    x = leaf(4)
    g = Cube.apply(x).sum()
    for expected in (3 * x * x, 6 * x, mg.full_like(x, 6.0)):
        (g,) = mg.autograd.grad(g.sum(), x, create_graph=True)
        assert g.allclose(expected)


def test_what_comes_out() -> None:
    x = leaf(3)
    sin, cos, positive, name = SinCos.apply(x)
    assert sin.requires_grad and cos.requires_grad and not positive.requires_grad and name == "a name"
    assert "grad_fn=<CubeBackward>" in repr(Cube.apply(x)) and "grad_fn=<SinCosBackward>" in repr(sin)
    assert Cube.apply(x.detach()).node is None
    with mg.no_grad():
        assert Cube.apply(x).node is None


class Notes(Function):
    seen: tuple = ()

    @staticmethod
    def forward(ctx, x, y, flag):
        Notes.seen = ctx.needs_input_grad
        return x + y, (x > 0)

    @staticmethod
    def backward(ctx, dy, dflags):
        assert dflags.dtype is mg.bool and not dflags.any()
        return (
            (dy if ctx.needs_input_grad[0] else None),
            (dy if ctx.needs_input_grad[1] else None),
            None,
            None,
        )  # one more


def test_needs_input_grad_and_integer_outputs() -> None:
    x, y = leaf(2), mg.ones(2, dtype=mg.float64)
    total, flags = Notes.apply(x, y, True)
    assert Notes.seen == (True, False, False) and not flags.requires_grad
    total.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0] and y.grad is None


def test_unused_outputs_are_zeros_or_none() -> None:
    got = []

    class Pair(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, a, b):
            got.append((a is None, b is None if b is None else b.tolist()))
            return b if b is not None else a, None

    x = leaf(2)
    Pair.apply(x, False)[0].sum().backward()
    Pair.apply(x, True)[0].sum().backward()
    a, b = Pair.apply(x, False)
    (a + b).sum().backward()
    assert got == [(False, True), (False, [0.0, 0.0]), (False, [1.0, 1.0])]


def test_outputs_of_different_dtypes() -> None:
    class Both(Function):
        @staticmethod
        def forward(ctx, x):
            return x.double(), x.half()

        @staticmethod
        def backward(ctx, a, b):
            assert a.dtype is mg.float64 and b.dtype is mg.float16
            return (a + b.double()).float()

    x = mg.ones(2, requires_grad=True)
    a, b = Both.apply(x)
    (a.sum() * 3 + b.sum().double()).backward()
    assert x.grad.tolist() == [4.0, 4.0] and x.grad.dtype is mg.float32


# ---------------------------------------------------------------- memory


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf(2)
    y = Cube.apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match=r"(?s)a second time.*retain_graph=True.*what 'Cube' kept"):
        y.backward()
    (x * 2).sum().backward()


def test_writes_to_saved_tensors_are_noticed() -> None:
    x = leaf(2)
    h = x * 1
    y = Cube.apply(h)
    with mg.no_grad():
        h.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation: 'saved tensor 0' of 'Cube'"):
        y.sum().backward()


def test_no_cycle_keeps_the_graph_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(2)
        y = Exp.apply(x * 1)
        node = weakref.ref(y.node)
        a, _, _, _ = SinCos.apply(y)
        call = weakref.ref(a.node.parents[0])
        del a, y
        assert node() is None and call() is None
    finally:
        gc.enable()


def test_what_backward_returns_is_not_taken_over() -> None:
    kept = mg.ones(2, dtype=mg.float64)

    class Constant(Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, dy):
            return kept

    x = leaf(2)
    for _ in range(2):
        Constant.apply(x).backward()
    assert x.grad.tolist() == [2.0, 2.0] and kept.tolist() == [1.0, 1.0]


def test_saved_tensors_are_there_in_backward_alone() -> None:
    held = []

    class Held(Cube):
        @staticmethod
        def forward(ctx, x):
            held.append(ctx)
            return Cube.forward(ctx, x)

    y = Held.apply(leaf(2))
    with pytest.raises(RuntimeError, match="is there while backward runs"):
        held[0].saved_tensors  # noqa: B018
    y.sum().backward()


# ---------------------------------------------------------------- in place, views, one differentiation


class Double_(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, dy):
        return dy * 2


def test_mark_dirty() -> None:
    x = leaf(2)
    h = x * 3
    out = Double_.apply(h)
    assert out is h and h.allclose(6 * x)
    h.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad has been used in an in-place"):
        Double_.apply(x)
    h = x * 3
    view = h[0]
    with pytest.raises(RuntimeError, match="mark_dirty on a tensor that shares its memory"):
        Double_.apply(h)
    assert view is not None


def test_an_input_returned_is_a_tensor_of_its_own() -> None:
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, dy):
            return 5 * dy

    x = leaf(2)
    y = Same.apply(x)
    assert y is not x and x.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_once_differentiable() -> None:
    class Once(Cube):
        @staticmethod
        @once_differentiable
        def backward(ctx, dy):
            assert not mg.is_grad_enabled()
            return Cube.backward(ctx, dy)

    x = leaf(2)
    Once.apply(x).sum().backward()
    assert x.grad.allclose(3 * x * x)
    (g,) = mg.autograd.grad((Once.apply(x) * x).sum(), x, create_graph=True)
    assert g.allclose(4 * x**3)
    with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
        g.sum().backward()


# ---------------------------------------------------------------- errors


def returning(*gradients) -> type[Function]:
    class Returns(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return gradients if len(gradients) != 1 else gradients[0]

    return Returns


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        (
            (mg.ones(3), mg.ones(3)),
            r"function ReturnsBackward returned an incorrect number of gradients \(expected 1, got 2\)",
        ),
        ((), r"returned an incorrect number of gradients \(expected 1, got 0\)"),
        ((mg.ones(2),), r"invalid gradient at index 0 - got \[2\] but expected shape compatible with \[3\]"),
        ((3.0,), r"expected Variable or None \(got float\)"),
    ],
)
def test_wrong_gradients(gradients, message) -> None:
    with pytest.raises(RuntimeError, match=message):
        returning(*gradients).apply(leaf(3)).sum().backward()


def test_gradients_that_are_not_there() -> None:
    x = leaf(3)
    returning(None).apply(x).sum().backward()
    assert x.grad is None
    returning(mg.ones(2, 3)).apply(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0] and x.grad.dtype is mg.float64  # broadcasting is undone


def test_wrong_use() -> None:
    x = leaf(2)

    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            return x / 2

    with pytest.raises(NotImplementedError, match="implement either the backward"):
        Half.apply(x).sum().backward()
    with pytest.raises(NotImplementedError, match="implement the forward"):
        Function.apply(x)
    with pytest.raises(RuntimeError, match=r"Legacy autograd function.*call Cube.apply\(...\)"):
        Cube()(x)
    with pytest.raises(TypeError, match="save_for_backward can only save variables, but argument 1 is of type int"):
        mg.function.FunctionCtx().save_for_backward(None, 3)
    with pytest.raises(TypeError, match="keyword"):
        Cube.apply(x=x)
    assert Half.apply(x).requires_grad


def test_functions_in_modules_and_checkpoints() -> None:
    layer = mg.nn.Linear(3, 3).double()
    x = leaf(2, 3)
    plain = Cube.apply(layer(x)).sum()
    expected = mg.autograd.grad(plain, [x, *layer.parameters()])
    saved = mg.utils.checkpoint.checkpoint(lambda x: Cube.apply(layer(x)), x).sum()
    for a, b in zip(mg.autograd.grad(saved, [x, *layer.parameters()]), expected, strict=True):
        assert a.allclose(b)
