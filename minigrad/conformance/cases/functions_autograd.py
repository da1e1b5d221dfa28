"""Cases of gradients, of the modes that turn them off, and of files."""

import io

from minigrad.conformance.case import cases_of, error_of

case = cases_of("functions")


def _recorded(torch):
    """Whether a product is recorded now."""
    return (torch.ones(1, requires_grad=True) * 2).requires_grad


@case("no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled", "inference_mode")
def modes(torch):
    @torch.no_grad()
    def without(x):
        return x * 2

    @torch.inference_mode()
    def inference(x):
        return x * 2

    x = torch.ones(1, requires_grad=True)
    told = {"outside": [torch.is_grad_enabled(), _recorded(torch)]}
    with torch.no_grad():
        told["no_grad"] = [torch.is_grad_enabled(), _recorded(torch), x.requires_grad]
        with torch.enable_grad():
            told["enable_grad"] = [torch.is_grad_enabled(), _recorded(torch)]
        with torch.set_grad_enabled(True):
            told["set in it"] = torch.is_grad_enabled()
        leaf = torch.ones(1, requires_grad=True)
        leaf += 1
    with torch.inference_mode():
        told["inference_mode"] = [_recorded(torch), torch.is_inference_mode_enabled()]
        made = torch.ones(1)
    with torch.set_grad_enabled(mode=False):
        told["set_grad_enabled"] = _recorded(torch)
    torch.set_grad_enabled(False)
    told["as a call"] = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    try:
        with torch.no_grad():
            raise KeyError
    except KeyError:
        told["after an error"] = torch.is_grad_enabled()
    return told | {
        "decorated": [without(x), inference(x)],
        "written under no_grad": leaf,
        "made inside": made.requires_grad,
    }


@case("autograd.grad")
def grad(torch):
    x, w = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(3.0, requires_grad=True)
    (first,) = torch.autograd.grad((w * x**3).sum(), x, create_graph=True)
    y = w * x
    unused = torch.ones(1, requires_grad=True)
    z = (x * w).sum()
    torch.autograd.grad(z, x)
    return {
        "first": first,
        "second": torch.autograd.grad(first.sum(), [x, w]),
        "vector": torch.autograd.grad(outputs=y, inputs=(x, w), grad_outputs=torch.tensor([1.0, 10.0])),
        "unused": torch.autograd.grad((x * 2).sum(), [x, unused], allow_unused=True),
        "zeros for it": torch.autograd.grad((x * 2).sum(), [x, unused], materialize_grads=True),
        "no .grad": x.grad,
        "batched": torch.autograd.grad([x.sum(), (x * w).sum()], x),
        "unused, refused": error_of(lambda: torch.autograd.grad((x * 2).sum(), [x, unused])),
        "not a number": error_of(lambda: torch.autograd.grad(x * 2, x)),
        "no graph": error_of(lambda: torch.autograd.grad(torch.ones(1), x)),
        "twice": error_of(lambda: torch.autograd.grad(z, w)),
        "shape of grad_outputs": error_of(lambda: torch.autograd.grad(x * 2, x, torch.ones(3))),
    }


@case("tensor:backward", "tensor:grad", "tensor:retain_grad", "tensor:requires_grad", "tensor:requires_grad_")
def backward(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    h.retain_grad()
    y = h.sum()
    y.backward(retain_graph=True)
    told = {"once": x.grad.clone(), "inner": h.grad.clone()}
    y.backward()
    told |= {"added": x.grad, "inner, added": h.grad.clone()}
    x.grad = None
    (x * 3).backward(torch.tensor([1.0, 0.5]))
    told["vector"] = x.grad.clone()
    x.grad.zero_()
    (x**3).sum().backward(create_graph=True)
    told["with a graph"] = x.grad.requires_grad
    x.grad.sum().backward(inputs=[x])
    told["second"] = x.grad.detach()
    plain = torch.ones(2)
    plain.requires_grad = True
    frozen = torch.ones(1, requires_grad=True).requires_grad_(False)
    return told | {
        "flags": [plain.requires_grad, plain.requires_grad_(False) is plain, frozen.requires_grad, y.requires_grad],
        "none yet": plain.grad,
        "leaf": [x.is_leaf, h.is_leaf, h.grad_fn is not None, x.grad_fn],
        "twice": error_of(lambda: y.backward()),
        "not a number": error_of(lambda: (x * 2).backward()),
        "no graph": error_of(lambda: torch.ones(1).backward()),
        "shape": error_of(lambda: (x * 2).backward(torch.ones(3))),
        "ints": error_of(lambda: torch.tensor([1]).requires_grad_()),
        "off for a result": error_of(lambda: h.requires_grad_(False)),
        "retain_grad of none": error_of(lambda: torch.ones(1).retain_grad()),
        "a wrong gradient": error_of(lambda: setattr(x, "grad", torch.ones(3))),
        "no tensor": error_of(lambda: setattr(x, "grad", 1.0)),
    }


@case("autograd.Function")
def function(torch):
    class Cube(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx, x, times):
            ctx.save_for_backward(x)
            ctx.times = times
            return times * x**3

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            return 3 * ctx.times * gradient * x**2, None

    class Wrong(torch.autograd.Function):  # type: ignore[name-defined]
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient, gradient, gradient

    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = Cube.apply(x, 2)
    y.sum().backward()
    (first,) = torch.autograd.grad(Cube.apply(x, 1).sum(), x, create_graph=True)
    return {
        "value": y,
        "gradient": x.grad,
        "second": torch.autograd.grad(first.sum(), x),
        "without gradient": Cube.apply(torch.ones(1), 2),
        "too many gradients": error_of(lambda: Wrong.apply(x).sum().backward()),
        "made": error_of(lambda: Cube()(x)),
    }


@case("save", "load")
def files(torch):
    def through(x, **options):
        file = io.BytesIO()
        torch.save(x, file)
        file.seek(0)
        return torch.load(file, **options)

    base = torch.arange(6.0)
    tied = through({"a": base, "b": base})
    tied["a"][2] = 9
    layer = torch.nn.Linear(2, 1)
    state = through(layer.state_dict(), map_location="cpu", weights_only=True)
    return {
        "tensor": through(torch.tensor([[1, 2], [3, 4]], dtype=torch.int16)),
        "containers": through([{"lr": 0.1, "n": 3}, (True, None, "text"), torch.ones(1)]),
        "requires grad": through(torch.ones(2, requires_grad=True)).requires_grad,
        "one tensor twice": tied["b"],
        "strides": through(torch.ones(2, 3).t()).stride(),
        "half": through(torch.tensor([0.1], dtype=torch.float16)),
        "state dict": [list(state), state["weight"], layer.load_state_dict(state)],
        "no such file": error_of(lambda: torch.load("no such file.pt")),
        "code passes": error_of(lambda: through(print)) == "no error",
        "no place": error_of(lambda: torch.save(torch.ones(1), 3)),
    }
