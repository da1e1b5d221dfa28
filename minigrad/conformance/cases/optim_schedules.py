"""Schedules of optim.lr_scheduler: the rates of ten steps, the state dict, and errors."""

import inspect

from minigrad.conformance.cases.optim import case
from minigrad.conformance.exercises import errors

STEPS = 10


def optimizer_of(torch, rates=(1.0, 0.5), **options):
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=0.1, **options)


def rates(torch, make, steps=STEPS, **options):
    """The rates of both groups before and after each step, the last ones as the schedule tells them, its state."""
    optimizer = optimizer_of(torch, **options)
    schedule = make(optimizer)
    told = [[group["lr"] for group in optimizer.param_groups]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        told.append([group["lr"] for group in optimizer.param_groups])
    return {"rates": told, "last": schedule.get_last_lr(), "state": public(schedule)}


def public(schedule):
    """The keys of a state dict that are no secret of the library."""
    return sorted(key for key in schedule.state_dict() if not key.startswith("_"))


def scheduled(torch, name, *options, refused=()):
    """A schedule under several options (arguments, keyword arguments): signature, rates, going on, errors."""
    kind = getattr(torch.optim.lr_scheduler, name)

    def make(chosen):
        args, kwargs = chosen
        return lambda optimizer: kind(optimizer, *args, **kwargs)

    first, second = make(options[0])(optimizer_of(torch)), make(options[0])(optimizer_of(torch))
    for _ in range(3):
        first.optimizer.step(), first.step()
    second.load_state_dict(first.state_dict())
    second.optimizer.step(), second.step()
    return {
        "signature": list(inspect.signature(kind).parameters),
        "told": [rates(torch, make(chosen)) for chosen in options],
        "goes on": [second.last_epoch, second.get_last_lr()],
        "errors": errors(lambda: kind(3, *options[0][0]), *[lambda c=c: make(c)(optimizer_of(torch)) for c in refused]),
    }


@case("lr_scheduler.StepLR")
def step_lr(torch):
    return scheduled(torch, "StepLR", ((3,), {}), ((4, 0.5), {}), refused=[((), {}), ((3,), {"no": 1})])


@case("lr_scheduler.MultiStepLR")
def multi_step_lr(torch):
    return scheduled(torch, "MultiStepLR", (([2, 5, 5],), {"gamma": 0.5}), (([8, 3],), {}), refused=[((), {})])


@case("lr_scheduler.ExponentialLR")
def exponential_lr(torch):
    return scheduled(torch, "ExponentialLR", ((0.9,), {}), refused=[((), {})])


@case("lr_scheduler.LambdaLR")
def lambda_lr(torch):
    table: list = [
        ((lambda epoch: 0.9**epoch,), {}),
        (([lambda epoch: 1 / (epoch + 1), lambda epoch: 1.0],), {}),
    ]
    return scheduled(torch, "LambdaLR", *table, refused=[(([lambda epoch: 1.0],), {}), ((3,), {})])


@case("lr_scheduler.LinearLR")
def linear_lr(torch):
    options: list = [((), {}), ((), {"start_factor": 0.1, "end_factor": 0.9, "total_iters": 4})]
    return scheduled(torch, "LinearLR", *options, refused=[((), {"start_factor": 0}), ((), {"end_factor": 2})])


@case("lr_scheduler.PolynomialLR")
def polynomial_lr(torch):
    return scheduled(torch, "PolynomialLR", ((), {}), ((8,), {"power": 2.0}))


@case("lr_scheduler.CosineAnnealingLR")
def cosine_lr(torch):
    return scheduled(torch, "CosineAnnealingLR", ((6,), {}), ((4,), {"eta_min": 0.1}), refused=[((), {})])


@case("lr_scheduler.CosineAnnealingWarmRestarts")
def restarts_lr(torch):
    kind = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts
    optimizer = optimizer_of(torch)
    schedule, fractions = kind(optimizer, 2), []
    for epoch in (0.0, 0.5, 1.5, 2.0, 3.25):
        optimizer.step()
        schedule.step(epoch)
        fractions.append(schedule.get_last_lr())
    refused = [((0,), {}), ((2.5,), {}), ((2,), {"T_mult": 0}), ((2,), {"eta_min": "a"})]
    told = scheduled(
        torch, "CosineAnnealingWarmRestarts", ((3,), {}), ((2,), {"T_mult": 2, "eta_min": 0.1}), refused=refused
    )
    return told | {"fractions": fractions}


@case("lr_scheduler.OneCycleLR")
def one_cycle_lr(torch):
    def run(momentum=False, **options):
        chosen = {"momentum": 0.9} if momentum else {}
        return rates(torch, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, **options), steps=7, **chosen)

    kind, optimizer = torch.optim.lr_scheduler.OneCycleLR, optimizer_of(torch)
    short = kind(optimizer, 1.0, total_steps=2, cycle_momentum=False)
    optimizer.step(), short.step()
    return {
        "signature": list(inspect.signature(kind).parameters),
        "told": [
            run(momentum=True, max_lr=2.0, total_steps=8),
            run(
                max_lr=[2.0, 1.0],
                epochs=2,
                steps_per_epoch=4,
                pct_start=0.5,
                anneal_strategy="linear",
                cycle_momentum=False,
            ),
            run(max_lr=1.0, total_steps=8, three_phase=True, div_factor=5, final_div_factor=10, cycle_momentum=False),
        ],
        "errors": errors(
            lambda: (short.step(), short.step()),
            lambda: kind(optimizer, 1.0),
            lambda: kind(optimizer, 1.0, total_steps=5),  # an optimizer without momentum
            lambda: kind(optimizer, 1.0, total_steps=5, cycle_momentum=False, pct_start=2.0),
            lambda: kind(optimizer, 1.0, total_steps=-5, cycle_momentum=False),
            lambda: kind(optimizer, 1.0, total_steps=5, cycle_momentum=False, anneal_strategy="no"),
            lambda: kind(optimizer, [1.0], total_steps=5, cycle_momentum=False),
        ),
    }


@case("lr_scheduler.SequentialLR")
def sequential_lr(torch):
    lrs = torch.optim.lr_scheduler

    def make(optimizer):
        parts = [
            lrs.LinearLR(optimizer, 0.1, total_iters=3),
            lrs.ExponentialLR(optimizer, 0.5),
            lrs.StepLR(optimizer, 2),
        ]
        return lrs.SequentialLR(optimizer, parts, milestones=[3, 6])

    optimizer = optimizer_of(torch)
    part = lrs.ExponentialLR(optimizer, 0.5)
    return rates(torch, make) | {
        "errors": errors(
            lambda: lrs.SequentialLR(optimizer, [part], milestones=[2]),
            lambda: lrs.SequentialLR(optimizer, [], milestones=[]),
            lambda: lrs.SequentialLR(optimizer, [part, lrs.StepLR(optimizer_of(torch), 2)], milestones=[2]),
        )
    }


@case("lr_scheduler.ReduceLROnPlateau")
def plateau(torch):
    kind = torch.optim.lr_scheduler.ReduceLROnPlateau

    def run(figures=(5, 4, 4, 4, 4, 3.9999, 4, 4, 4, 4), **options):
        optimizer = optimizer_of(torch)
        schedule, told = kind(optimizer, **options), []
        for figure in figures:
            schedule.step(figure)
            told.append([group["lr"] for group in optimizer.param_groups])
        return [told, schedule.get_last_lr(), schedule.num_bad_epochs, schedule.best, public(schedule)]

    optimizer = optimizer_of(torch)
    return {
        "signature": list(inspect.signature(kind).parameters),
        "told": [
            run(patience=1),
            run(mode="max", factor=0.5, patience=0, cooldown=2),
            run(patience=1, threshold=0.5, threshold_mode="abs", min_lr=[0.05, 0.2]),
            run([torch.tensor(1.0), torch.tensor(2.0), float("nan")], patience=0),
        ],
        "errors": errors(
            lambda: kind(optimizer, factor=1.0), lambda: kind(optimizer, mode="no"), lambda: kind(optimizer).step(),
            lambda: kind(optimizer, threshold_mode="no"), lambda: kind(optimizer, min_lr=[0.1]), lambda: kind(3),
        ),
    }  # fmt: skip
