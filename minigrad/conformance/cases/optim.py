"""Cases of optim: some steps of every optimizer, and ten rates of every schedule."""

import copy
import inspect

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import errors, numbers

case = cases_of("optim")

STEPS = 4


def steps(torch, make, dtype="float64"):
    """The parameters after each step of an optimizer, and what it keeps."""
    parameters = [
        numbers(torch, *s, start=i, dtype=getattr(torch, dtype)).requires_grad_()
        for i, s in enumerate([(2, 2), (3,), (2,)])
    ]
    optimizer = make(parameters)
    told = []
    for step in range(STEPS):
        optimizer.zero_grad()
        matrix, vector, asleep = parameters
        loss = (matrix @ matrix.sin()).sum() + (vector.cos() * vector).sum() * (step + 1)
        loss = loss + (asleep**2).sum() if step == 2 else loss  # before and after, this one has no gradient
        loss.backward()
        optimizer.step()
        told.append([p.detach().clone() for p in parameters])
    return told


def exercised(torch, name, *options, refused=()):
    """An optimizer under several options: signature, steps, text, state dict, going on from it, errors."""
    kind = getattr(torch.optim, name)

    def run(chosen):
        return steps(torch, lambda parameters: kind(parameters, **chosen))

    x = numbers(torch, 2, 2).requires_grad_()
    first, second = kind([x], **options[0]), kind([x], **options[0])
    for _ in range(2):
        first.zero_grad()
        x.square().sum().backward()
        first.step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    state = first.state_dict()
    for optimizer in (first, second):
        optimizer.step()
    return {
        "signature": list(inspect.signature(kind).parameters),
        "steps": [run(chosen) for chosen in options],
        "float32": steps(torch, lambda parameters: kind(parameters, **options[0]), "float32")[-1],
        "repr": repr(first),
        "state": [{key: sorted(value) for key, value in state["state"].items()}, state["param_groups"], x],
        "defaults": first.defaults,
        "errors": errors(
            lambda: kind([], **options[0]),
            lambda: kind(x, **options[0]),
            lambda: kind([x * 2], **options[0]),
            lambda: kind([x, x], **options[0]),
            lambda: kind(["x"], **options[0]),
            *[lambda chosen=chosen: kind([x], **chosen) for chosen in ({"lr": -1.0}, {"no": 1}, *refused)],
        ),
    }


@case("SGD")
def sgd(torch):
    return exercised(
        torch, "SGD", {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "maximize": True},
        refused=[{"momentum": -1}, {"nesterov": True}, {"weight_decay": -1}],
    )  # fmt: skip


@case("Adam")
def adam(torch):
    return exercised(
        torch, "Adam", {"lr": 0.1}, {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1},
        {"amsgrad": True, "maximize": True},
        refused=[{"betas": (1.0, 0.9)}, {"eps": -1}, {"betas": 0.9}],
    )  # fmt: skip


@case("AdamW")
def adamw(torch):
    return exercised(
        torch, "AdamW", {"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}, refused=[{"weight_decay": -1}]
    )


@case("Adadelta")
def adadelta(torch):
    return exercised(
        torch, "Adadelta", {}, {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}, refused=[{"rho": 2}]
    )


@case("Adagrad")
def adagrad(torch):
    return exercised(
        torch, "Adagrad", {"lr": 0.1}, {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1},
        refused=[{"lr_decay": -1}],
    )  # fmt: skip


@case("RMSprop", float32=1e-5)
def rmsprop(torch):
    return exercised(
        torch, "RMSprop", {"lr": 0.1}, {"alpha": 0.8, "momentum": 0.5, "weight_decay": 0.1},
        {"centered": True, "eps": 0.1},
        refused=[{"alpha": -1}, {"momentum": -1}],
    )  # fmt: skip


@case("Adamax")
def adamax(torch):
    return exercised(torch, "Adamax", {"lr": 0.1}, {"betas": (0.8, 0.9), "weight_decay": 0.1}, refused=[{"eps": -1}])


@case("NAdam")
def nadam(torch):
    return exercised(
        torch, "NAdam", {"lr": 0.1}, {"momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        refused=[{"momentum_decay": -1}],
    )  # fmt: skip


@case("RAdam")
def radam(torch):
    return exercised(
        torch, "RAdam", {"lr": 0.1}, {"betas": (0.5, 0.6), "weight_decay": 0.1}, refused=[{"betas": (0.5, 1)}]
    )


@case("Rprop")
def rprop(torch):
    return exercised(
        torch, "Rprop", {"lr": 0.1}, {"etas": (0.4, 1.5), "step_sizes": (1e-3, 0.2)}, refused=[{"etas": (2, 3)}]
    )


@case("ASGD")
def asgd(torch):
    return exercised(
        torch,
        "ASGD",
        {"lr": 0.1},
        {"lambd": 0.1, "alpha": 0.5, "t0": 1, "weight_decay": 0.1},
        refused=[{"weight_decay": -1}],
    )


@case("Muon", float32=2e-2)  # its polynomial runs in bfloat16
def muon(torch):
    def run(**options):
        x = numbers(torch, 3, 2).requires_grad_()
        optimizer = torch.optim.Muon([x], **options)
        told = []
        for _ in range(2):
            optimizer.zero_grad()
            (x.sin() * x).sum().backward()
            optimizer.step()
            told.append(x.detach().clone())
        return [told, sorted(optimizer.state_dict()["state"][0]), list(optimizer.param_groups[0])]

    x, line = torch.ones(2, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    return {
        "steps": [run(), run(lr=0.1, weight_decay=0.0, momentum=0.8, nesterov=False, adjust_lr_fn="match_rms_adamw")],
        "signature": list(inspect.signature(torch.optim.Muon).parameters),
        "errors": errors(
            lambda: torch.optim.Muon([line]), lambda: torch.optim.Muon([x], lr=-1),
            lambda: torch.optim.Muon([x], adjust_lr_fn="no"), lambda: torch.optim.Muon([x], momentum=-1),
        ),
    }  # fmt: skip


@case("LBFGS")
def lbfgs(torch):
    def run(**options):
        x = numbers(torch, 4, dtype=torch.float64).requires_grad_()
        optimizer, told, calls = torch.optim.LBFGS([x], **options), [], []

        def closure():
            optimizer.zero_grad()
            loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()  # Rosenbrock
            loss.backward()
            calls.append(loss.item())
            return loss

        for _ in range(3):
            told.append([optimizer.step(closure).detach(), x.detach().clone()])
        return [told, len(calls), sorted(optimizer.state_dict()["state"][0].keys() - {"al"})]  # al: scratch

    x = torch.ones(1, requires_grad=True)

    def square():
        loss = (x * x).sum()
        loss.backward()
        return loss

    return {
        "steps": [run(lr=1e-3, max_iter=5), run(max_iter=4, history_size=2, line_search_fn="strong_wolfe")],
        "signature": list(inspect.signature(torch.optim.LBFGS).parameters),
        "errors": errors(
            lambda: torch.optim.LBFGS([x]).step(),
            lambda: torch.optim.LBFGS([{"params": [x]}, {"params": [torch.ones(1, requires_grad=True)]}]),
            lambda: torch.optim.LBFGS([x], line_search_fn="no").step(square),
            lambda: torch.optim.LBFGS([x], lr=-1.0),
        ),
    }


@case("Optimizer", "SGD", "methods:optim.param_groups", "methods:step", "methods:zero_grad")
def groups_states_and_an_optimizer_of_ones_own(torch):
    class Descent(torch.optim.Optimizer):  # type: ignore[name-defined, misc]
        def __init__(self, params, lr=0.5):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.state[p]["count"] = self.state[p].get("count", 0) + 1
                        p -= group["lr"] * p.grad

    slow, fast = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    own = Descent([{"params": [slow]}, {"params": fast, "lr": 1.0}])
    (slow + 2 * fast).sum().backward()
    own.step()
    sgd = torch.optim.SGD([{"params": [slow], "weight_decay": 0.1}], lr=0.1, momentum=0.5)
    sgd.add_param_group({"params": [fast], "lr": 0.01})
    sgd.param_groups[0]["lr"] *= 2
    sgd.step()
    told = {
        "own": [slow.detach(), fast.detach(), repr(own), own.state_dict()],
        "groups": [[{k: v for k, v in group.items() if k != "params"} for group in sgd.param_groups], repr(sgd)],
        "closure": sgd.step(lambda: (slow * slow).sum()),
    }
    sgd.zero_grad(set_to_none=False)
    told["zeroed"] = [slow.grad.clone(), sgd.zero_grad(), slow.grad]
    state = sgd.state_dict()
    return told | {
        "errors": errors(
            lambda: sgd.add_param_group({"params": [slow]}),
            lambda: sgd.add_param_group([slow]),
            lambda: sgd.load_state_dict({**state, "param_groups": state["param_groups"][:1]}),
            lambda: torch.optim.SGD([{"lr": 0.1}]),
            lambda: torch.optim.SGD([{"params": [slow]}, {"params": [slow]}]),
            lambda: torch.optim.Optimizer([slow], {}).step(),
            lambda: torch.optim.SGD([torch.tensor([1])]),
        ),
    }
