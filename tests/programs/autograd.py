"""Programs on backward, autograd.grad, hooks, leaves and grad modes."""

from typing import Any

from programs.common import error_of


def _leaf(m: Any, *values: float) -> Any:
    return m.tensor(list(values), requires_grad=True)


def _two(m: Any) -> Any:
    return _leaf(m, 1.0, 2.0), _leaf(m, 3.0, 4.0)


CASES = {
    "square": lambda m: m.autograd.grad((_leaf(m, 2.0) ** 2).sum(), _leaf(m, 2.0), allow_unused=True),
    "non-scalar": lambda m: (_leaf(m, 1.0, 2.0) * 2).backward(),
    "one element of two dims": lambda m: m.ones(1, 1, requires_grad=True).backward(),
    "graphless": lambda m: m.tensor(1.0).backward(),
    "graphless after detach": lambda m: (_leaf(m, 1.0) * 2).detach().sum().backward(),
    "gradient of the wrong shape": lambda m: (_leaf(m, 1.0, 2.0) * 2).backward(m.ones(3)),
    "gradient broadcastable but of the wrong shape": lambda m: (_leaf(m, 1.0, 2.0) * 2).backward(m.ones(1)),
    "gradient not a tensor": lambda m: (_leaf(m, 1.0, 2.0) * 2).backward([1.0, 1.0]),
    "backward from a number": lambda m: m.autograd.backward(3.0),
    "grad of an input without grad": lambda m: m.autograd.grad(_leaf(m, 1.0).sum(), m.tensor(1.0)),
    "requires_grad on ints": lambda m: m.tensor([1, 2], requires_grad=True),
    "requires_grad_ on bools": lambda m: m.tensor([True]).requires_grad_(),
    "requires_grad_(False) on an inner tensor": lambda m: (_leaf(m, 1.0) * 2).requires_grad_(False),
    "requires_grad_() on an inner tensor": lambda m: (_leaf(m, 1.0) * 2).requires_grad_().requires_grad,
    "requires_grad = False on an inner tensor": lambda m: setattr(_leaf(m, 1.0) * 2, "requires_grad", False),
    "hook on a tensor without grad": lambda m: m.tensor(1.0).register_hook(print),
    "retain_grad on a tensor without grad": lambda m: m.tensor(1.0).retain_grad(),
    "numpy of a tensor with grad": lambda m: _leaf(m, 1.0).numpy(),
    "is_leaf": lambda m: [m.tensor(1.0).is_leaf, _leaf(m, 1.0).is_leaf, (_leaf(m, 1.0) * 2).is_leaf],
    "is_leaf of a result without graph": lambda m: (m.tensor(1.0) * 2).is_leaf,
    "is_leaf of detached": lambda m: (_leaf(m, 1.0) * 2).detach().is_leaf,
    "grad_fn of a leaf": lambda m: _leaf(m, 1.0).grad_fn,
    "grad assigned of a wrong shape": lambda m: setattr(_leaf(m, 1.0, 2.0), "grad", m.ones(3)),
    "grad assigned of a wrong dtype": lambda m: setattr(_leaf(m, 1.0, 2.0), "grad", m.ones(2, dtype=m.float64)),
    "grad assigned a number": lambda m: setattr(_leaf(m, 1.0, 2.0), "grad", 3.0),
    "comparison has no graph": lambda m: [(_leaf(m, 1.0) > 0).requires_grad, _leaf(m, 1.0).argmax().requires_grad],
    "cast to ints has no graph": lambda m: (_leaf(m, 1.5) * 2).long(),
    "deepcopy of an inner tensor": lambda m: __import__("copy").deepcopy(_leaf(m, 1.0) * 2),
}


def accumulation(m):
    x = _leaf(m, 1.0, 2.0)
    (x * x).sum().backward()
    held, first = x.grad, x.grad.tolist()
    (x * 3).sum().backward()
    return [first, x.grad, held is x.grad, held.data_ptr() == x.grad.data_ptr(), held]


def accumulation_into_a_grad_the_user_set(m):
    x, g = _leaf(m, 1.0, 2.0), m.ones(2)
    x.grad = g
    (x * 3).sum().backward()
    return [x.grad is g, g]


def zero_the_grad(m):
    x = _leaf(m, 1.0, 2.0)
    (x * 3).sum().backward()
    x.grad.zero_()
    (x * 4).sum().backward()
    seen = x.grad.tolist()
    x.grad = None
    (x * 5).sum().backward()
    return [seen, x.grad]


def second_backward(m):
    x = _leaf(m, 1.0, 2.0)
    y = x.exp().sum()
    y.backward()
    return error_of(y.backward)


def second_backward_of_a_sum(m):
    x = _leaf(m, 1.0, 2.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


def second_backward_through_one_shared_node(m):
    x = _leaf(m, 1.0, 2.0)
    h = x.exp()
    h.sum().backward()
    return error_of((h * 2).sum().backward)


def retained(m):
    x = _leaf(m, 1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return [x.grad, error_of(y.backward)]


def freed_part_by_part(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * x
    a, b = h.sum(), (h * h).sum()
    a.backward(retain_graph=True)
    b.backward()
    return [x.grad, error_of(a.backward)]


def sum_of_losses(m):
    x, y = _two(m)
    m.autograd.backward([(x * y).sum(), (x + y).sum()])
    return [x.grad, y.grad]


def several_with_gradients(m):
    x, y = _two(m)
    m.autograd.backward([x * y, x + y], [m.tensor([1.0, 0.5]), m.tensor([2.0, 3.0])])
    return [x.grad, y.grad]


def as_many_gradients_as_tensors(m):
    x, y = _two(m)
    return error_of(lambda: m.autograd.backward([x * y, x + y], [m.ones(2)]))


def create_graph_grad(m):
    x = _leaf(m, 1.0, 2.0)
    (g,) = m.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = m.autograd.grad(g.sum(), x, create_graph=True)
    (t,) = m.autograd.grad(h.sum(), x)
    return [g, h, t, x.grad]


def create_graph_backward(m):
    x = _leaf(m, 1.0, 2.0)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.sum().backward()
    return [g, x.grad]


def create_graph_backward_accumulates_out_of_place(m):
    x = _leaf(m, 1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    (x**3).sum().backward(create_graph=True)
    return [first, x.grad, first is x.grad]


def gradient_penalty(m):
    x, w = m.tensor([[1.0, 2.0], [3.0, -1.0]]), m.tensor([[0.5, -0.3], [0.2, 0.7]], requires_grad=True)
    x.requires_grad_()
    out = (x @ w).tanh().sum()
    (g,) = m.autograd.grad(out, x, create_graph=True)
    ((g.norm(dim=1) - 1) ** 2).mean().backward()
    return [w.grad, x.grad]


def grad_through_a_graph_that_depends_on_the_gradient_seed(m):
    x = _leaf(m, 1.0, 2.0)
    v = m.tensor([1.0, -1.0], requires_grad=True)
    (g,) = m.autograd.grad(x * x, x, v, create_graph=True)
    return m.autograd.grad(g.sum(), v)


def mixed_partial(m):
    x, y = _two(m)
    (gx,) = m.autograd.grad((x * x * y.sin()).sum(), x, create_graph=True)
    return m.autograd.grad(gx.sum(), y)


def grad_leaves_grad_alone(m):
    x, y = _two(m)
    m.autograd.grad((x * y).sum(), x)
    return [x.grad, y.grad]


def unused(m):
    x, y = _two(m)
    z = (x * 2).sum()
    return error_of(lambda: m.autograd.grad(z, [x, y]))


def unused_allowed(m):
    x, y = _two(m)
    return m.autograd.grad((x * 2).sum(), [x, y], allow_unused=True)


def unused_materialized(m):
    x, y = _two(m)
    return m.autograd.grad((x * 2).sum(), [x, y], materialize_grads=True)


def materialized_but_unused_refused(m):
    x, y = _two(m)
    return error_of(lambda: m.autograd.grad((x * 2).sum(), [x, y], allow_unused=False, materialize_grads=True))


def grad_by_an_inner_tensor(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * x
    return m.autograd.grad((h * h).sum(), [h, x])


def grad_by_the_output_itself(m):
    x = _leaf(m, 1.0, 2.0)
    y = x.sum()
    return m.autograd.grad(y, [y, x])


def grad_by_a_leaf_of_itself(m):
    x = m.tensor(2.0, requires_grad=True)
    return m.autograd.grad(x, x)


def grad_by_the_same_twice(m):
    x = _leaf(m, 1.0, 2.0)
    return m.autograd.grad((x * x).sum(), [x, x])


def grad_outputs_list(m):
    x, y = _two(m)
    return m.autograd.grad([x * y, x + y], [x, y], [m.tensor([1.0, 0.5]), None] if False else [m.ones(2), m.ones(2)])


def grad_outputs_none_for_a_scalar(m):
    x, y = _two(m)
    return m.autograd.grad([(x * y).sum(), x], [x, y], [None, m.tensor([1.0, 2.0])])


def inputs_of_backward(m):
    x, y = _two(m)
    (x * y).sum().backward(inputs=[x])
    return [x.grad, y.grad]


def inputs_of_backward_inner(m):
    x, y = _two(m)
    h = x * y
    h.retain_grad()
    h.sum().backward(inputs=[h, y])
    return [x.grad, y.grad, h.grad]


def inputs_empty(m):
    x = _leaf(m, 1.0)
    return error_of(lambda: (x * 2).sum().backward(inputs=[]))


def retain_grad_of_an_inner_tensor(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * 3
    before = h.retains_grad
    h.retain_grad()
    (h * h).sum().backward()
    return [before, h.retains_grad, h.grad, x.grad, x.retains_grad]


def retain_grad_on_a_leaf(m):
    x = _leaf(m, 1.0, 2.0)
    x.retain_grad()
    x.sum().backward()
    return [x.retains_grad, x.grad]


def diamond(m):
    x = _leaf(m, 0.5, 2.0)
    y = x * x
    a = y.sin()
    b = y * a
    (a + b).sum().backward()
    return x.grad


def same_tensor_twice(m):
    x = _leaf(m, 3.0, 2.0)
    (x * x + x / x - x).sum().backward()
    return x.grad


def same_tensor_many_times(m):
    x = _leaf(m, 3.0, 2.0)
    m.stack([x, x, x * 2, x]).sum().backward()
    return x.grad


def broadcast(m):
    a, b, c = m.ones(2, 1, requires_grad=True), m.ones(1, 3, requires_grad=True), m.tensor(2.0, requires_grad=True)
    ((a * 2 + b * c) * m.arange(6.0).reshape(2, 3)).sum().backward()
    return [a.grad, b.grad, c.grad]


def mixed_dtypes(m):
    a = m.tensor([1.0, 2.0], requires_grad=True)
    b = m.tensor([3.0, 4.0], dtype=m.float64, requires_grad=True)
    y = a * b
    y.sum().backward()
    return [y, a.grad, b.grad]


def ints_beside(m):
    a, k = _leaf(m, 1.0, 2.0), m.tensor([3, 4])
    y = (a * k + k) ** 2
    y.sum().backward()
    return [y, a.grad]


def hook_sees_the_gradient(m):
    x, seen = _leaf(m, 1.0, 2.0), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * x).sum().backward()
    (x * 3).sum().backward()
    return [seen, x.grad]


def hook_replaces(m):
    x = _leaf(m, 1.0, 2.0)
    x.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (x * x).sum().backward()
    return x.grad


def hook_on_an_inner_tensor(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * 3
    h.register_hook(lambda g: g * 2)
    (h * h).sum().backward()
    return x.grad


def hook_and_retain_grad(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * 3
    h.retain_grad()
    h.register_hook(lambda g: g * 2)
    (h * h).sum().backward()
    return [h.grad, x.grad]


def hook_removed(m):
    x = _leaf(m, 1.0, 2.0)
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    handle.remove()
    x.sum().backward()
    return x.grad


def hook_handle_as_context(m):
    x = _leaf(m, 1.0, 2.0)
    with x.register_hook(lambda g: g * 10):
        x.sum().backward()
    x.sum().backward()
    return x.grad


def hook_of_a_wrong_shape(m):
    x = _leaf(m, 1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    return error_of(x.sum().backward)


def hook_order_from_output_to_input(m):
    x, seen = _leaf(m, 1.0, 2.0), []
    h = x * 3
    y = h * 2
    x.register_hook(lambda g: seen.append("x"))
    h.register_hook(lambda g: seen.append("h"))
    y.register_hook(lambda g: seen.append("y"))
    y.sum().backward()
    return seen


def hook_runs_once_with_the_whole_gradient(m):
    x, seen = _leaf(m, 1.0, 2.0), []
    h = x * 3
    h.register_hook(lambda g: seen.append(g.tolist()))
    (h * 2 + h * h).sum().backward()
    return seen


def hook_runs_in_grad(m):
    x, seen = _leaf(m, 1.0, 2.0), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    found = m.autograd.grad((x * x).sum(), x)
    return [seen, found]


def hook_under_create_graph(m):
    x = _leaf(m, 1.0, 2.0)
    h = x * 1
    h.register_hook(lambda g: g * g)
    (g,) = m.autograd.grad((h**2).sum(), x, create_graph=True)
    return [g, *m.autograd.grad(g.sum(), x)]


def detached(m):
    x = _leaf(m, 1.0, 2.0)
    y = x * x
    (y * y.detach()).sum().backward()
    return [x.grad, y.detach().requires_grad, y.detach().data_ptr() == y.data_ptr()]


def detach_in_place(m):
    x = _leaf(m, 1.0, 2.0)
    y = x * x
    y.detach_()
    return [y.requires_grad, y.is_leaf]


def frozen(m):
    x, y = _two(m)
    (x * y).sum().backward()
    x.requires_grad = False
    held = x.grad
    z = x * y
    z.sum().backward()
    return [held is x.grad, x.grad, y.grad, x.requires_grad]


def frozen_after_use(m):
    x, y = _two(m)
    z = (x * y).sum()
    x.requires_grad = False
    z.backward()
    return [x.requires_grad, y.grad]


def thawed(m):
    x = _leaf(m, 1.0, 2.0)
    x.requires_grad_(False)
    y = x * 2
    x.requires_grad_(True)
    z = x * 3
    z.sum().backward()
    return [y.requires_grad, x.grad]


def gradient_given_shares_nothing(m):
    a, b, g = m.ones(2, requires_grad=True), m.ones(2, requires_grad=True), m.tensor([1.0, 2.0])
    (a + b).backward(g)
    places = {a.grad.data_ptr(), b.grad.data_ptr(), g.data_ptr()}
    a.grad.mul_(10)
    return [len(places), a.grad, b.grad, g]


def gradient_of_a_leaf_itself(m):
    x, g = m.ones(2, requires_grad=True), m.tensor([1.0, 2.0])
    x.backward(g)
    return [x.grad, x.grad.data_ptr() != g.data_ptr()]


def gradient_seen_is_writeable(m):
    x = m.ones(2, 3, requires_grad=True)
    x.sum().backward()
    x.grad[0, 0] = 7
    return [x.grad, list(x.grad.stride())]


def gradient_of_expand_is_writeable(m):
    x = m.ones(2, 1, requires_grad=True)
    (h,) = m.autograd.grad(x.expand(2, 3).sum(), x)
    h[0] = 7
    return h


def retained_gradients_are_apart(m):
    x = m.ones(2, requires_grad=True)
    a = x * 1
    b = a + 0
    a.retain_grad(), b.retain_grad()
    b.sum().backward()
    b.grad.mul_(5)
    return [a.grad, b.grad, x.grad]


def reshaped_gradients_are_apart(m):
    x, y = m.ones(4, requires_grad=True), m.ones(2, 2, requires_grad=True)
    (x.reshape(2, 2) + y).sum().backward()
    x.grad.mul_(5)
    return [x.grad, y.grad]


def modes(m):
    seen = [m.is_grad_enabled()]
    with m.no_grad():
        seen.append(m.is_grad_enabled())
        with m.enable_grad():
            seen.append(m.is_grad_enabled())
        seen.append(m.is_grad_enabled())
        with m.set_grad_enabled(True):
            seen.append(m.is_grad_enabled())
        seen.append(m.is_grad_enabled())
    with m.set_grad_enabled(False):
        seen.append(m.is_grad_enabled())
    with m.inference_mode():
        seen += [m.is_grad_enabled(), m.is_inference_mode_enabled()]
    with m.inference_mode(False):
        seen += [m.is_grad_enabled(), m.is_inference_mode_enabled()]
    m.set_grad_enabled(False)
    seen.append(m.is_grad_enabled())
    m.set_grad_enabled(True)
    return [*seen, m.is_grad_enabled()]


def modes_as_decorators(m):
    @m.no_grad()
    def silent():
        return m.is_grad_enabled()

    @m.no_grad
    def silent_too():
        return m.is_grad_enabled()

    @m.inference_mode()
    def inferring():
        return [m.is_grad_enabled(), m.is_inference_mode_enabled()]

    @m.set_grad_enabled(False)
    def set_off():
        return m.is_grad_enabled()

    @m.enable_grad()
    def loud():
        return m.is_grad_enabled()

    seen = [m.is_grad_enabled(), silent(), silent_too(), inferring(), set_off(), loud()]
    with m.no_grad():
        seen += [loud(), m.is_grad_enabled()]
    return [*seen, silent.__name__, m.is_grad_enabled()]


def modes_on_generators(m):
    @m.no_grad()
    def count():
        yield m.is_grad_enabled()
        got = yield "again"
        yield [got, m.is_grad_enabled()]

    steps = count()
    seen = [next(steps), m.is_grad_enabled(), next(steps), m.is_grad_enabled()]
    seen += [steps.send("sent"), m.is_grad_enabled()]
    return [*seen, list(steps), m.is_grad_enabled()]


def modes_after_errors(m):
    def fails():
        with m.no_grad():
            raise KeyError("inside")

    decorated = m.inference_mode()(lambda: 1 / 0)
    return [
        error_of(fails),
        m.is_grad_enabled(),
        error_of(decorated),
        m.is_grad_enabled(),
        m.is_inference_mode_enabled(),
    ]


def no_grad_makes_no_graph(m):
    x = _leaf(m, 1.0)
    with m.no_grad():
        y = x * 2
        z = m.tensor(1.0, requires_grad=True)
    return [y.requires_grad, y.is_leaf, z.requires_grad, x.requires_grad]


def graph_built_inside_a_backward_hook(m):
    x, seen = _leaf(m, 1.0), []
    x.register_hook(lambda g: seen.append(m.is_grad_enabled()))
    x.sum().backward()
    return seen


def grad_of_a_view_and_its_base(m):
    x = m.arange(6.0).requires_grad_()
    v = x.view(2, 3)
    (v[0] * v[1]).sum().backward()
    return x.grad


def zero_size(m):
    x = m.zeros(0, 3, requires_grad=True)
    (x * 2).sum().backward()
    return x.grad


def scalars(m):
    x = m.tensor(2.0, requires_grad=True)
    y = 1 / x + x**3 - 2**x + (5 - x) * 3
    y.backward()
    return [y, x.grad]


def functions_of_leaves(m):
    x = m.tensor([0.3, 0.7], requires_grad=True)
    y = x.exp() + x.log() + x.sin() * x.cos() + x.tanh() + x.sigmoid() + x.sqrt() + x.abs() + x.relu()
    y.sum().backward()
    return [y, x.grad]


def detached_twin_under_the_loss(m):
    x = _leaf(m, 1.0, 2.0)
    target = (x * 2).detach()
    ((x * 3 - target) ** 2).mean().backward()
    return x.grad


def unbound_pieces(m):
    x = m.arange(6.0).reshape(2, 3).requires_grad_()
    a, b = x.unbind(0)
    (a * b).sum().backward()
    return x.grad


def split_pieces(m):
    x = m.arange(7.0).requires_grad_()
    a, b, c = x.split(3)
    (a.sum() + (b * b).sum() + c.sum() * 10).backward()
    return x.grad


def grad_then_backward_on_one_graph(m):
    x = _leaf(m, 1.0, 2.0)
    y = (x * x).sum()
    (g,) = m.autograd.grad(y, x, retain_graph=True)
    y.backward()
    return [g, x.grad]


def grad_frees_only_its_path(m):
    x, y = _two(m)
    a, b = x * x, y * y
    z = (a + b).sum()
    m.autograd.grad(z, x)
    return error_of(lambda: m.autograd.grad(z, x))


def views_made_under_no_grad(m):
    leaf = m.arange(6.0, requires_grad=True)
    with m.no_grad():
        views = [leaf[:4], leaf[0], leaf.view(2, 3), leaf[None], leaf.view(2, 3).t(), (leaf * 2)[1:], leaf.split(2)[0]]
        others = [leaf * 1, leaf[[0, 1]], leaf.clone(), leaf.detach()[:2], m.cat([leaf[:2], leaf[4:]])]
        inner = leaf.numpy().tolist()
    return [
        [[v, v.requires_grad, v.is_leaf] for v in views],
        [v.requires_grad for v in others],
        inner,
        error_of(lambda: leaf.numpy()),
        error_of(lambda: views[0].add_(1)),
    ]


def gradients_by_an_iterator_of_inputs(m):
    leaves = [m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0], requires_grad=True)]
    y = leaves[0] * leaves[1]
    found = m.autograd.grad((part for part in y), (leaf for leaf in leaves), retain_graph=True)
    return [*found, error_of(lambda: m.autograd.grad(y.sum(), 5))]
