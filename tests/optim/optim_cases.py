"""What is recorded from PyTorch and asked of minigrad: the same functions run on either library.

Arguments named `optim` and `lr_scheduler` are the modules of that name, of either.
"""

from collections.abc import Callable, Iterator
from typing import Any

STEPS = 20
LOOKED_AT = (1, 5, 20)  # steps after which the parameters are compared
SHAPES = ((2, 3), (4,), (3,), ())
SLEEPING = {2: (1, 2, 3, 8)}  # the third parameter has no gradient in these steps

OPTIMIZERS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.05},
        {"lr": 0.05, "momentum": 0.9},
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.5},
        {"lr": 0.05, "momentum": 0.8, "nesterov": True},
        {"lr": 0.02, "maximize": True},
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True, "maximize": True},
    ],
    "Adagrad": [
        {},
        {"lr": 0.2, "lr_decay": 0.05},
        {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 0.1},
        {"lr": 0.1, "weight_decay": 0.05},
        {"lr": 0.02, "maximize": True, "weight_decay": 0.1},
    ],
    "RMSprop": [
        {},
        {"lr": 0.02, "alpha": 0.9, "eps": 1e-3},
        {"lr": 0.01, "momentum": 0.9},
        {"lr": 0.01, "centered": True, "eps": 0.05},
        {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.1, "eps": 0.05},
        {"lr": 0.01, "maximize": True},
    ],
    "Adam": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3},
        {"lr": 0.02, "weight_decay": 0.1},
        {"lr": 0.02, "amsgrad": True},
        {"lr": 0.02, "maximize": True},
        {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.02, "weight_decay": 0.1, "amsgrad": True, "maximize": True, "betas": (0.5, 0.6)},
    ],
    "AdamW": [
        {},
        {"lr": 0.05, "weight_decay": 0.3},
        {"lr": 0.02, "weight_decay": 0.1, "amsgrad": True, "betas": (0.5, 0.6)},
        {"lr": 0.02, "maximize": True},
    ],
    "Adadelta": [
        {},
        {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.5, "maximize": True},
    ],
    "Adamax": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.02, "maximize": True},
    ],
    "NAdam": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "momentum_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "RAdam": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3},
        {"lr": 0.02, "weight_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "Rprop": [
        {},
        {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.02, 0.2)},
        {"lr": 0.02, "maximize": True},
    ],
    "ASGD": [
        {},
        {"lr": 0.1, "lambd": 0.05, "alpha": 0.6, "t0": 3, "weight_decay": 0.1},
        {"lr": 0.02, "maximize": True},
    ],
}
SCALARS = ("step", "mu_product", "mu", "eta")  # state that is one float32, whatever the parameter


def optimizer_of(optim: Any, kind: str, options: dict[str, Any], parameters: list) -> Any:
    """The second parameter is in a group of its own with half the rate."""
    first, second, *others = parameters
    rate = options.get("lr", 0.01)
    return getattr(optim, kind)([{"params": [first, *others]}, {"params": second, "lr": rate / 2}], **options)


def steps_of(
    optimizer: Any, parameters: list, set_gradients: Callable, first: int = 1, last: int = STEPS
) -> Iterator[int]:
    """The number of each step, once it is taken."""
    for step in range(first, last + 1):
        for i, p in enumerate(parameters):
            if step in SLEEPING.get(i, ()):
                p.grad = None
            else:
                set_gradients(step, i, p)
        optimizer.step()
        yield step


# ---- schedules -----------------------------------------------------------------------------------------------------

EPOCHS = 30
METRICS = [
    round(1 / (1 + epoch) + (0.25 if epoch > 12 else 0) + (0.1 if epoch % 4 == 0 else 0), 3) for epoch in range(EPOCHS)
]


class Inverse:
    """A callable object, whose attributes are part of a schedule's state."""

    def __init__(self, slope: float):
        self.slope = slope

    def __call__(self, epoch: int) -> float:
        return 1 / (1 + self.slope * epoch)


def halve_every_third(epoch: int) -> float:
    return 0.5 if epoch % 3 == 0 else 1.0


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda s, o: s.LambdaLR(o, [Inverse(0.25), lambda epoch: 0.95**epoch]),
    "one lambda": lambda s, o: s.LambdaLR(o, lambda epoch: min(1.0, (epoch + 1) / 10)),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, halve_every_third),
    "step": lambda s, o: s.StepLR(o, 7),
    "step 0.9": lambda s, o: s.StepLR(o, step_size=1, gamma=0.9),
    "multistep": lambda s, o: s.MultiStepLR(o, [20, 3, 3, 10], gamma=0.3),
    "constant": lambda s, o: s.ConstantLR(o, total_iters=6),
    "constant 0.25": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=1),
    "linear": lambda s, o: s.LinearLR(o),
    "linear down": lambda s, o: s.LinearLR(o, start_factor=0.9, end_factor=0.0, total_iters=17),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.8),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=12, power=2.0),
    "polynomial line": lambda s, o: s.PolynomialLR(o),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 10, eta_min=0.001),
    "cosine to zero": lambda s, o: s.CosineAnnealingLR(o, T_max=7),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, T_mult=2, eta_min=0.002),
    "restarts alike": lambda s, o: s.CosineAnnealingWarmRestarts(o, 6),
    "one cycle": lambda s, o: s.OneCycleLR(o, max_lr=[0.3, 0.2], total_steps=31),
    "one cycle linear": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=8, steps_per_epoch=4, pct_start=0.25, anneal_strategy="linear"
    ),
    "one cycle in three": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=30, three_phase=True, base_momentum=[0.8, 0.7]),
    "one cycle, steady momentum": lambda s, o: s.OneCycleLR(
        o, 0.5, total_steps=30, pct_start=0.5, cycle_momentum=False
    ),
    "warm-up, then cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, start_factor=0.1, total_iters=5), s.CosineAnnealingLR(o, 25)], milestones=[5]
    ),
    "three in sequence": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 100), s.ExponentialLR(o, 0.9), s.StepLR(o, 4, 0.5)], milestones=[3, 15]
    ),
    "sequence in a sequence": lambda s, o: s.SequentialLR(
        o,
        [s.SequentialLR(o, [s.ConstantLR(o, 0.5, 9), s.LambdaLR(o, Inverse(0.5))], [4]), s.PolynomialLR(o, 10)],
        milestones=[12],
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9), s.CosineAnnealingLR(o, 40)]
    ),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], step_size_up=5),
    "cyclic, halved": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.1, 3, 4, mode="triangular2", cycle_momentum=False),
    "cyclic, falling": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.9, base_momentum=0.7),
    "cyclic by function": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, scale_fn=Inverse(0.5), scale_mode="iterations"),
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, patience=2),
    "plateau up": lambda s, o: s.ReduceLROnPlateau(o, "max", factor=0.5, patience=1, cooldown=2, min_lr=[0.02, 0.001]),
    "plateau absolute": lambda s, o: s.ReduceLROnPlateau(o, patience=0, threshold=0.05, threshold_mode="abs", eps=1e-3),
}


def optimizer_for(optim: Any, name: str, parameters: list) -> Any:
    """Two groups with rates of their own; Adam for one of the schedules that cycle momentum."""
    kind, more = (optim.Adam, {}) if name == "one cycle in three" else (optim.SGD, {"momentum": 0.9})
    return kind([{"params": parameters[0]}, {"params": parameters[1], "lr": 0.01}], lr=0.1, **more)


def run_schedule(scheduler: Any, first: int = 0, last: int = EPOCHS) -> Iterator[list]:
    """Per epoch: the rates of the groups, and the momentum (or beta1) of the second group."""
    optimizer = scheduler.optimizer
    for epoch in range(first, last):
        optimizer.step()
        scheduler.step(*([METRICS[epoch]] if type(scheduler).__name__ == "ReduceLROnPlateau" else []))
        yield row(optimizer)


def row(optimizer: Any) -> list:
    groups = optimizer.param_groups
    return [groups[0]["lr"], groups[1]["lr"], groups[1]["betas"][0] if "betas" in groups[1] else groups[1]["momentum"]]


JUMPS = {
    "step": (3, 7, 21),
    "linear": (2, 9),
    "cosine": (4, 13),
    "lambda": (5, 2),
    "restarts": (0.5, 3.75, 4.25, 11.5, 29),
}
CHANGED_BY_HAND = (
    "step",
    "exponential",
    "linear",
    "cosine",
    "chained",
)  # the rate is set to 0.04 at epoch 3 by the program
SHOWN = ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD")
SIGNED = (*SHOWN, "Muon", "LBFGS")
SCHEDULE_NAMES = (
    "LambdaLR", "MultiplicativeLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR",
    "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SequentialLR", "ChainedScheduler",
    "ReduceLROnPlateau",
)  # fmt: skip
METHODS = ("zero_grad", "state_dict", "load_state_dict", "add_param_group", "step")
CLIPPING = ("clip_grad_norm_", "clip_grad_value_", "get_total_norm", "clip_grads_with_norm_")

NORM_TYPES = (2.0, 1.0, 3.0, 0.0, float("inf"), float("-inf"))
MAX_NORMS = (0.5, 3.0, 1000.0)
GRADIENTS = ([[3.0, -4.0], [0.5, 0.25]], [0.0, -1.5, 2.0], [12.0])
