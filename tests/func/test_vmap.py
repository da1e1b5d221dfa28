"""vmap: PyTorch's recorded results and errors, nesting, graphs, gradients of each example, and what stays as it was."""

import threading

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg
from minigrad import autograd, func, nn
from minigrad.func import functional_call, grad, jacfwd, jacrev, stack_module_state, vmap
from minigrad.kernels.batched import Batched
from minigrad.nn import functional as F
from minigrad.op import FusedOp, Op

PROGRAMS = recorded("vmap")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def rows(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).standard_normal(shape))


def near(got, wanted, tolerance=1e-12):
    np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- levels


def test_a_level_inside_a_level_inside_a_level():
    x, w = rows(2, 3, 4), rows(4, seed=1)
    got = vmap(lambda a: vmap(lambda b: vmap(lambda c: c * w.sum() + b @ w)(b * a.sum()))(a))(x)
    wanted = [[(b * a.sum()) * w.sum() + b @ w for b in a] for a in x]
    near(got, mg.stack([mg.stack(row) for row in wanted]))


@pytest.mark.parametrize("inner", ["newer meets older", "older alone", "newer alone", "neither"])
def test_what_an_inner_level_may_meet(inner):
    """Arrays of both levels, of one, and of none come together in one op, in any order."""
    x, y, w = rows(2, 4), rows(3, 4, seed=1), rows(4, seed=2)
    call = {
        "newer meets older": lambda a, b: mg.where(w > 0, mg.maximum(w, a), b) + mg.stack([w, a, b]).sum(0),
        "older alone": lambda a, b: a * w + b.sum() * 0,
        "newer alone": lambda a, b: b * w,
        "neither": lambda a, b: w * 2,
    }[inner]
    got = vmap(lambda a: vmap(lambda b: call(a, b))(y))(x)
    near(got, mg.stack([mg.stack([call(a, b) for b in y]) for a in x]))


def test_a_closed_over_graph_with_a_vmap_in_it():
    """Rows of a Jacobian go back through a vmap that has finished long ago."""
    x, w = rows(3), rows(2, 3, seed=1)

    def f(x):
        return vmap(lambda a: ((a * x).sin() * x.sum()).sum())(w)

    near(jacrev(f)(x), jacrev(lambda x: ((w * x).sin() * x.sum()).sum(1))(x))
    near(jacfwd(f)(x), jacrev(f)(x))
    near(jacfwd(jacrev(f))(x), jacrev(jacrev(f))(x))


def test_a_vmap_whose_function_differentiates_through_another():
    x = rows(4, 3)
    f = vmap(grad(lambda a: vmap(lambda b: (a * b).sum() ** 2)(rows(2, 3, seed=1)).sum()))
    wanted = [grad(lambda a: sum((a * b).sum() ** 2 for b in rows(2, 3, seed=1)))(a) for a in x]
    near(f(x), mg.stack(wanted))


# ---------------------------------------------------------------- gradients


def test_a_shared_weight_has_a_gradient_of_each_example_inside_and_their_sum_outside():
    w, x = rows(3), rows(5, 3, seed=1)
    inside = vmap(grad(lambda w, a: ((w * a).sin() * w).sum()), (None, 0))(w, x)
    outside = grad(lambda w: vmap(lambda a: ((w * a).sin() * w).sum())(x).sum())(w)
    near(inside.sum(0), outside)
    near(inside, mg.stack([grad(lambda w, a=a: ((w * a).sin() * w).sum())(w) for a in x]))


def test_a_leaf_made_inside_has_a_gradient_of_each_example():
    def f(a):
        w = mg.tensor([1.0, 2.0, 3.0], dtype=mg.float64, requires_grad=True)
        return autograd.grad((w[0] * 5 + w[1:] * a[1:] + w[1] * w[2] * 2).sum(), w)[0]

    x = rows(4, 3)
    near(vmap(f)(x), mg.stack([f(a) for a in x]))


def test_a_fused_op_inside_and_outside():
    """In float32 losses and attention run as kernels, forward and backward, and their references when twice."""
    x, labels = rows(4, 5, 3).float(), mg.tensor([[0, 1, 2, 0, 1]] * 4)
    near(
        vmap(grad(lambda a, i: F.cross_entropy(a, i, label_smoothing=0.1)))(x, labels),
        mg.stack([grad(lambda a: F.cross_entropy(a, labels[0], label_smoothing=0.1))(a) for a in x]), 1e-5,
    )  # fmt: skip
    hess = lambda a: func.hessian(lambda a: F.cross_entropy(a, labels[0]))(a)  # noqa: E731
    near(vmap(hess)(x), mg.stack([hess(a) for a in x]), 1e-5)
    q = rows(4, 2, 6, 8).float()
    attend = lambda a: F.scaled_dot_product_attention(a, a * 2, a + 1, is_causal=True)  # noqa: E731
    near(vmap(grad(lambda a: attend(a).sum()))(q), grad(lambda a: attend(a).sum())(q), 1e-5)


def test_rows_through_a_fused_op_that_was_recorded_before():
    x = rows(4, 6).float().requires_grad_()
    y = F.layer_norm(x, (6,), mg.ones(6), mg.zeros(6))
    seeds = rows(3, 4, 6, seed=1).float()
    got = vmap(lambda u: autograd.grad(y, x, u, retain_graph=True)[0])(seeds)
    near(got, mg.stack([autograd.grad(y, x, u, retain_graph=True)[0] for u in seeds]), 1e-5)
    (batched,) = autograd.grad(y, x, seeds, is_grads_batched=True)
    near(batched, got, 1e-6)


class Small(nn.Module):
    """A small convolutional net."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 3, 3), nn.GroupNorm(1, 3), nn.Linear(3 * 4 * 4, 5)

    def forward(self, x):
        return self.out(F.max_pool2d(F.relu(self.norm(self.conv(x))), 2).flatten(1))


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_gradients_of_each_example_of_a_net(kind):
    """The form of PyTorch's tutorial, against a loop over the examples."""
    model = {"mlp": lambda: nn.Sequential(nn.Linear(100, 8), nn.ReLU(), nn.Linear(8, 5)), "cnn": Small}[kind]()
    data = mg.randn(6, 1, 10, 10) if kind == "cnn" else mg.randn(6, 100)
    targets = mg.tensor([0, 1, 2, 3, 4, 0])
    params = {name: p.detach() for name, p in model.named_parameters()}
    buffers = {name: b.detach() for name, b in model.named_buffers()}

    def compute_loss(params, buffers, sample, target):
        predictions = functional_call(model, (params, buffers), (sample.unsqueeze(0),))
        return F.cross_entropy(predictions, target.unsqueeze(0))

    found = vmap(grad(compute_loss), in_dims=(None, None, 0, 0))(params, buffers, data, targets)
    for i in range(6):
        loss = F.cross_entropy(model(data[i : i + 1]), targets[i : i + 1])
        wanted = autograd.grad(loss, list(model.parameters()))
        for (name, gradient), theirs in zip(found.items(), wanted, strict=True):
            assert gradient.shape == (6, *params[name].shape)
            near(gradient[i], theirs, 2e-5)


def test_an_ensemble_trains_as_its_members():
    models = [nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)) for _ in range(3)]
    x, y = mg.randn(8, 4), mg.randn(8, 1)
    params, buffers = stack_module_state(models)

    def loss(params, buffers):
        return ((functional_call(models[0], (params, buffers), (x,)) - y) ** 2).mean()

    optimizers = [mg.optim.SGD(m.parameters(), 0.1) for m in models]
    together = mg.optim.SGD(params.values(), 0.1)
    for _ in range(3):
        together.zero_grad()
        vmap(loss)(params, buffers).sum().backward()
        together.step()
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.zero_grad()
            ((model(x) - y) ** 2).mean().backward()
            optimizer.step()
    for i, model in enumerate(models):
        for name, p in model.named_parameters():
            near(params[name][i], p, 1e-5)


def test_convolutions_with_a_weight_of_each_example():
    x, w, b = rows(3, 2, 4, 6, 6), rows(3, 6, 2, 3, 3, seed=1), rows(3, 6, seed=2)

    def f(x, w, b):
        return F.conv2d(x, w, b, stride=2, padding=1, groups=2).sin().sum()

    for dims in [(0, 0, 0), (None, 0, 0), (0, None, 0), (0, 0, None), (None, 0, None), (None, None, 0)]:
        inputs = [a if d == 0 else a[0] for a, d in zip((x, w, b), dims, strict=True)]
        found = vmap(grad(f, argnums=(0, 1, 2)), dims)(*inputs)
        wanted = [
            grad(f, (0, 1, 2))(*[a[i] if d == 0 else a for a, d in zip(inputs, dims, strict=True)]) for i in range(3)
        ]
        for k, got in enumerate(found):
            near(got, mg.stack([w[k] for w in wanted]), 1e-10)


# ---------------------------------------------------------------- functions of the user's own


class SineOf(autograd.Function):
    """x sin(w), whose backward makes tensors of its own."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w.sin()

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return mg.where(mg.ones(w.shape) > 0, dy * w.sin(), 0.0), dy * x * w.cos()


def test_a_function_of_the_users_own():
    x, w = rows(3, 2), rows(2, seed=1).requires_grad_()
    y = vmap(lambda a: SineOf.apply(a, w))(x)
    near(y, x * w.sin())
    (first,) = autograd.grad(y.sum(), w, create_graph=True)
    near(first, (x * w.cos()).sum(0))
    near(autograd.grad(first.sum(), w)[0], -(x * w.sin()).sum(0))
    near(vmap(grad(lambda w, a: SineOf.apply(a, w).sum()), (None, 0))(w.detach(), x), x * w.cos())


class Sorted(autograd.Function):
    """Sorting by NumPy, which wants the numbers: it says itself what to do with a batch."""

    @staticmethod
    def forward(ctx, x, dim):
        order = mg.tensor(np.argsort(x.detach().numpy(), axis=dim))
        ctx.save_for_backward(order)
        ctx.dim = dim
        return x.gather(dim, order)

    @staticmethod
    def backward(ctx, dy):
        (order,) = ctx.saved_tensors
        return mg.zeros_like(dy).scatter(ctx.dim, order, dy), None

    @staticmethod
    def vmap(info, in_dims, x, dim):
        assert (info.batch_size, info.randomness, in_dims) == (3, "error", (0, None))
        return Sorted.apply(x, dim + 1), 0


def test_a_function_with_a_rule_of_its_own():
    x, w, weights = rows(3, 4), rows(4, seed=1), mg.arange(4.0).double()
    near(vmap(lambda a: Sorted.apply(a, 0))(x), x.sort(1).values)
    f = lambda w, a: (Sorted.apply(a * w, 0) * weights).sum()  # noqa: E731
    wanted = [grad(lambda w, a=a: ((a * w).sort().values * weights).sum())(w) for a in x]
    near(vmap(grad(f), (None, 0))(w, x), mg.stack(wanted))
    near(grad(lambda w: vmap(f, (None, 0))(w, x).sum())(w), mg.stack(wanted).sum(0))


def test_a_checkpointed_segment_runs_again_as_it_ran():
    x, w = rows(3, 20), rows(20, seed=1).requires_grad_()

    def f(a, keep):
        def segment(b):
            return (F.dropout(b * w, 0.5).sin() * mg.where(w > 0, b, w)).sum()

        return segment(a) if keep else mg.utils.checkpoint.checkpoint(segment, a, use_reentrant=False)

    found = []
    for keep in (True, False):
        mg.manual_seed(0)
        y = vmap(lambda a, keep=keep: f(a, keep), randomness="different")(x)
        found.append(autograd.grad(y.pow(2).sum(), w)[0])
    near(*found)


# ---------------------------------------------------------------- random numbers


def test_different_numbers_are_those_of_a_batch():
    x = mg.ones(3, 40)
    mg.manual_seed(1)
    inside = vmap(lambda a: F.dropout(a, 0.4), randomness="different")(x)
    mg.manual_seed(1)
    near(inside, F.dropout(x, 0.4))
    mg.manual_seed(1)
    same = vmap(lambda a: F.dropout(a, 0.4), randomness="same")(x)
    mg.manual_seed(1)
    near(same, F.dropout(x[0], 0.4).expand(3, 40))


def test_different_inside_same_and_same_inside_different():
    x = mg.ones(2, 3, 4)
    draw = lambda outer, inner: vmap(vmap(lambda a: mg.randn(4) * a, randomness=inner), randomness=outer)(x)  # noqa: E731
    mg.manual_seed(0)
    a = draw("different", "different")
    mg.manual_seed(0)
    near(a, mg.randn(2, 3, 4))
    mg.manual_seed(0)
    b = draw("same", "different")
    mg.manual_seed(0)
    near(b, mg.randn(3, 4).expand(2, 3, 4))
    mg.manual_seed(0)
    c = draw("different", "same")
    mg.manual_seed(0)
    near(c, mg.randn(2, 1, 4).expand(2, 3, 4))
    with pytest.raises(RuntimeError, match="randomness error mode"):
        draw("error", "same")


def test_draws_by_batched_weights():
    p = mg.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert vmap(mg.bernoulli, randomness="different")(p).tolist() == p.tolist()
    assert vmap(lambda q: mg.multinomial(q, 1), randomness="different")(p).tolist() == [[1], [0]]
    assert vmap(vmap(lambda q: mg.multinomial(q, 1), randomness="different"), randomness="different")(
        mg.stack([p, p])
    ).shape == (2, 2, 1)
    mg.manual_seed(3)
    found = vmap(lambda q: mg.normal(q, 2.0), randomness="different")(p)
    mg.manual_seed(3)
    near(found, mg.normal(p, 2.0), 1e-6)


# ---------------------------------------------------------------- what a user sees


def test_a_batched_tensor_prints_what_all_examples_have():
    seen = []
    vmap(lambda a: seen.append(repr(a)) or a)(mg.ones(2, 3))
    assert seen == ["BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[1., 1., 1.],\n            [1., 1., 1.]])\n)"]
    vmap(vmap(lambda a: seen.append(repr(a)) or a))(mg.ones(1, 2))
    assert seen[1] == (
        "BatchedTensor(lvl=2, bdim=0, value=\n"
        "    BatchedTensor(lvl=1, bdim=0, value=\n        tensor([[1., 1.]])\n    )\n)"
    )


def test_the_name_and_the_document_are_the_functions():
    def twice(x):
        """Two x."""
        return x * 2

    assert vmap(twice).__name__ == "twice" and vmap(twice).__doc__ == "Two x."


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: vmap(lambda a: a if a.sum() > 0 else -a)(x), RuntimeError, "data-dependent control flow.*where"),
        (lambda x: vmap(lambda a: a.sum().item())(x), RuntimeError, r"calling \.item\(\).*outside of vmap"),
        (lambda x: vmap(lambda a: a[a > 0])(x), RuntimeError, "dynamic shape: a boolean mask.*where"),
        (lambda x: vmap(lambda a: mg.zeros(2).add_(a))(x), RuntimeError, "inplace arithmetic.*new_zeros"),
        (lambda x: vmap(lambda a: mg.randn(2))(x), RuntimeError, "'same' or 'different'"),
        (lambda x: vmap(lambda a: a, in_dims=(0, {"a": 0}))(x, {"b": x}), ValueError, r"structure \(\*, \{'a': \*\}\)"),
        (lambda x: vmap(lambda a: (a, 1), out_dims=0)(x), ValueError, "only return Tensors, got .* <class 'int'>"),
        (lambda x: autograd.grad(x.requires_grad_(), x, [None], is_grads_batched=True), ValueError, "one is None"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call(mg.ones(3, 2))


def test_a_running_average_that_all_share_is_refused_with_the_way_out():
    layer = nn.BatchNorm1d(2)
    with pytest.raises(RuntimeError, match=r"running_mean or running_var.*replace_all_batch_norm_modules_"):
        vmap(layer)(mg.randn(3, 4, 2))
    func.replace_all_batch_norm_modules_(layer)
    assert vmap(layer)(mg.randn(3, 4, 2)).shape == (3, 4, 2)


# ---------------------------------------------------------------- what stays as it was


def test_the_ways_of_calling_are_put_back_after_an_error():
    before = [kind.__dict__["__call__"] for kind in (Op, FusedOp)], mg.Generator.__dict__["normal"]
    with pytest.raises(ZeroDivisionError):
        vmap(lambda a: 1 / 0)(mg.ones(2))
    assert before == ([kind.__dict__["__call__"] for kind in (Op, FusedOp)], mg.Generator.__dict__["normal"])
    assert not mg.batching.levels()


def test_other_threads_do_not_notice():
    inside, done, drawn = threading.Event(), threading.Event(), []

    def elsewhere():
        inside.wait(10)
        drawn.append((mg.randn(3) * 2).sum().item())
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    vmap(lambda a: (inside.set(), done.wait(10), a)[2])(mg.ones(2))
    thread.join()
    assert len(drawn) == 1


def test_anomaly_mode_and_vmap_in_each_other():
    with mg.autograd.detect_anomaly():
        near(vmap(grad(lambda a: (a * a).sum()))(rows(3, 2)), rows(3, 2) * 2)
        with pytest.raises(RuntimeError, match="'log' made nan"):
            vmap(lambda a: a.log())(-mg.ones(2, 2))

    def f(a):
        with mg.autograd.detect_anomaly():
            return grad(lambda b: (b * b * w).sum())(a)

    w = rows(2, seed=1)
    near(vmap(f)(rows(3, 2)), rows(3, 2) * 2 * w)


def test_what_is_outside_stays_an_ordinary_tensor():
    w = rows(2)
    seen = []
    vmap(lambda a: (seen.append(w * 2), seen.append(w + a), a)[2])(rows(3, 2))
    assert type(seen[0].array) is np.ndarray and type(seen[1].array) is Batched
    assert (w * 2).sum().item() == seen[0].sum().item()


def test_a_version_is_watched_through_the_batch():
    w, x = rows(2).requires_grad_(), rows(3, 2)
    y = vmap(lambda a: (a * w * w).sum())(x)
    with mg.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        autograd.grad(vmap(lambda a: (a.exp() * y.sum()).sum())(x).sum(), w)
