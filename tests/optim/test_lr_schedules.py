"""Rates of the schedules against those recorded from PyTorch, and what schedules promise besides the numbers."""

import copy
import json
import pickle
import warnings
from pathlib import Path

import optim_cases as cases
import pytest

import minigrad
from minigrad import optim
from minigrad.optim import lr_scheduler

RECORDED = json.loads((Path(__file__).parent.parent / "recorded" / "optim.json").read_text(encoding="utf-8"))


def pair():
    return [minigrad.ones(3, requires_grad=True), minigrad.ones(2, requires_grad=True)]


def made(name):
    optimizer = cases.optimizer_for(optim, name, pair())
    return optimizer, cases.SCHEDULES[name](lr_scheduler, optimizer)


def sgd(**options):
    first, second = pair()
    return optim.SGD([{"params": first}, {"params": second, "lr": 0.01}], lr=0.1, **options)


def equal(rows, recorded):
    """To a few units in the last place."""
    assert len(rows) == len(recorded)
    for epoch, (row, expected) in enumerate(zip(rows, recorded, strict=True)):
        assert row == pytest.approx(expected, rel=2e-15, abs=1e-17), f"epoch {epoch}"


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_thirty_epochs_are_pytorchs(name):
    optimizer, scheduler = made(name)
    rows = [cases.row(optimizer)]
    for row in cases.run_schedule(scheduler):
        rows.append(row)
        assert scheduler.get_last_lr() == row[:2]
    equal(rows, RECORDED["epochs"][name])


@pytest.mark.parametrize("name", cases.JUMPS)
def test_jumps_are_pytorchs(name):
    optimizer, scheduler = made(name)
    rows = []
    for epoch in cases.JUMPS[name]:
        optimizer.step()
        if name == "restarts":
            scheduler.step(epoch)
        else:
            with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
                scheduler.step(epoch)
        rows.append(cases.row(optimizer))
    equal(rows + list(cases.run_schedule(scheduler, 0, 3)), RECORDED["jumps"][name])


@pytest.mark.parametrize("name", cases.CHANGED_BY_HAND)
def test_rate_changed_by_the_program_midway(name):
    optimizer, scheduler = made(name)
    list(cases.run_schedule(scheduler, 0, 3))
    optimizer.param_groups[0]["lr"] = 0.04
    equal(list(cases.run_schedule(scheduler, 3, 12)), RECORDED["changed by hand"][name])


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_saved_and_loaded_midway(name):
    _, scheduler = made(name)
    whole = list(cases.run_schedule(scheduler))
    first_optimizer, first = made(name)
    list(cases.run_schedule(first, 0, 11))
    saved = pickle.loads(pickle.dumps({"optimizer": first_optimizer.state_dict(), "scheduler": first.state_dict()}))
    second_optimizer, second = made(name)
    second_optimizer.load_state_dict(saved["optimizer"])
    second.load_state_dict(saved["scheduler"])
    assert second.get_last_lr() == first.get_last_lr()
    assert list(cases.run_schedule(second, 11)) == whole[11:]


@pytest.mark.parametrize(
    "name", sorted({"step", "multistep", "linear", "exponential", "polynomial", "cosine", "one lambda"})
)
def test_resumed_with_last_epoch(name):
    _, scheduler = made(name)
    whole = list(cases.run_schedule(scheduler))
    other, twin = made(name)
    list(cases.run_schedule(twin, 0, 8))
    make = cases.SCHEDULES[name]

    class Resuming:
        """The module of schedules, with last_epoch given to each."""

        def __getattr__(self, kind):
            return lambda *args, **options: getattr(lr_scheduler, kind)(*args, **options, last_epoch=8)

    resumed = make(Resuming(), other)
    assert resumed.last_epoch == 9
    equal([cases.row(other), *cases.run_schedule(resumed, 9)], whole[8:])


def test_the_shape_of_a_schedule_in_plain_numbers():
    optimizer = sgd()
    scheduler = lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.LinearLR(optimizer, 0.25, 1.0, total_iters=3), lr_scheduler.StepLR(optimizer, 2, gamma=0.5)],
        milestones=[3],
    )
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(7):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.05, 0.05, 0.025])


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: lr_scheduler.StepLR(optimizer, 2),
        lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [2]),
        lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9),
        lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 3),
    ],
)
def test_a_rate_given_as_an_int_stays_one_until_it_changes(make):
    optimizer = optim.SGD([minigrad.ones(1, requires_grad=True)], lr=5)
    scheduler = make(optimizer)
    assert repr(scheduler.get_last_lr()) == "[5]"  # as PyTorch prints it


def test_initial_lr_is_kept_in_the_groups():
    optimizer = sgd()
    scheduler = lr_scheduler.ConstantLR(optimizer, 0.5)
    assert scheduler.base_lrs == [0.1, 0.01]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.1, 0.01]
    assert scheduler.get_last_lr() == [0.05, 0.005]


def test_state_dict_has_everything_but_the_optimizer():
    saved = lr_scheduler.StepLR(sgd(), 2).state_dict()
    assert saved == {
        "step_size": 2,
        "gamma": 0.1,
        "base_lrs": [0.1, 0.01],
        "last_epoch": 0,
        "_step_count": 1,
        "_last_lr": [0.1, 0.01],
    }
    slow = lr_scheduler.LambdaLR(sgd(), [cases.Inverse(0.25), lambda epoch: 1.0]).state_dict()
    assert slow["lr_lambdas"] == [{"slope": 0.25}, None]
    fast = lr_scheduler.LambdaLR(sgd(), [cases.Inverse(9.0), lambda epoch: 1.0])
    fast.load_state_dict(slow)
    assert fast.lr_lambdas[0].slope == 0.25


def test_rate_that_is_a_tensor_is_changed_in_place():
    rate = minigrad.tensor(0.5)
    optimizer = optim.SGD(pair(), lr=rate)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert rate.item() == 0.25
    assert optimizer.param_groups[0]["lr"] is rate


def test_momentum_that_onecycle_cycles_is_used():
    parameter = minigrad.zeros(1, requires_grad=True)
    optimizer = optim.SGD([parameter], lr=1.0)  # made without momentum
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=4)
    for _ in range(4):
        parameter.grad = minigrad.ones(1)
        optimizer.step()
        scheduler.step()
    assert optimizer.state[parameter]["momentum_buffer"].item() > 2


@pytest.mark.parametrize("name", ["step", "cosine", "one cycle", "warm-up, then cosine", "sequence in a sequence"])
def test_scheduler_first_warns_once(name):
    _, scheduler = made(name)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`") as caught:
        scheduler.step()
    assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name]
    scheduler.step()  # warnings are errors here
    optimizer = sgd()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


def test_copied_with_its_optimizer():
    optimizer, scheduler = made("chained")
    twin = copy.deepcopy(scheduler)
    assert twin.optimizer is not optimizer
    list(cases.run_schedule(twin, 0, 5))
    assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0]
    assert twin.get_last_lr() != scheduler.get_last_lr()


def test_group_added_after_the_schedule_was_made():
    optimizer = sgd()
    scheduler, plateau = lr_scheduler.StepLR(optimizer, 1, 0.5), lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    strict = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0, 0.0])
    optimizer.add_param_group({"params": [minigrad.ones(1, requires_grad=True)], "lr": 1.0})
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups][:2] == [0.05, 0.005]
    plateau.step(1.0)
    plateau.step(1.0)
    assert optimizer.param_groups[2]["lr"] == pytest.approx(0.1 * 0.5)
    strict.step(1.0)
    with pytest.raises(RuntimeError, match="min_lr was given for 2 groups, and 1 more were added since"):
        strict.step(1.0)


def test_metric_of_a_plateau_may_be_a_tensor():
    optimizer = sgd()
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(2):
        plateau.step(minigrad.tensor(1.0))
    assert plateau.get_last_lr() == pytest.approx([0.01, 0.001])
    assert plateau.best == 1.0
    plateau.step(float("nan"))  # never better
    assert plateau.get_last_lr() == pytest.approx([0.001, 0.0001])
    with pytest.raises(TypeError, match="metrics"):
        plateau.step()


def test_schedule_of_ones_own():
    class Root(lr_scheduler.LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) ** 0.5 for base in self.base_lrs]

    optimizer = sgd()
    scheduler = Root(optimizer)
    optimizer.step()
    for _ in range(3):
        scheduler.step()
    assert scheduler.get_last_lr() == [0.05, 0.005]
    with pytest.raises(NotImplementedError, match="must write get_lr"):
        lr_scheduler.LRScheduler(sgd())


def build(kind, *args, **options):
    return lambda: getattr(lr_scheduler, kind)(*args, **options)


REFUSED = [
    (build("StepLR", 1, 2), TypeError, "int is not an Optimizer"),
    (build("StepLR", sgd(), 0), ValueError, "Expected positive integer step_size, but got 0"),
    (build("StepLR", sgd(), 2, verbose=True), TypeError, "unexpected keyword argument 'verbose'"),
    (build("StepLR", sgd(), 2, last_epoch=3), KeyError, r"param 'initial_lr' is not specified in param_groups\[0\]"),
    (build("LambdaLR", sgd(), [len]), ValueError, "Expected 2 lr_lambdas, but got 1"),
    (build("MultiplicativeLR", sgd(), [len]), ValueError, "Expected 2 lr_lambdas, but got 1"),
    (build("LambdaLR", sgd(), 0.5), TypeError, "must be a function of the epoch, got float: 0.5"),
    (build("ConstantLR", sgd(), factor=2), ValueError, "between 0 and 1, got 2"),
    (build("LinearLR", sgd(), start_factor=0), ValueError, "greater than 0 and less or equal to 1, got 0"),
    (build("LinearLR", sgd(), end_factor=2), ValueError, "between 0 and 1, got 2"),
    (build("CosineAnnealingLR", sgd(), 0), ValueError, "T_max other than 0"),
    (build("CosineAnnealingWarmRestarts", sgd(), 0), ValueError, "Expected positive integer T_0, but got 0"),
    (build("CosineAnnealingWarmRestarts", sgd(), 1, T_mult=0), ValueError, "Expected integer T_mult >= 1, but got 0"),
    (
        build("CosineAnnealingWarmRestarts", sgd(), 1, eta_min="x"),
        ValueError,
        "Expected float or int eta_min, but got x",
    ),
    (
        lambda: lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 2).step(-1),
        ValueError,
        "Expected non-negative epoch, but got -1",
    ),
    (build("SequentialLR", sgd(), [], []), ValueError, "expects at least one scheduler"),
    (build("SequentialLR", sgd(), [1], []), TypeError, "SequentialLR at index 0 should have `optimizer`"),
    (
        lambda: lr_scheduler.SequentialLR(sgd(), [lr_scheduler.StepLR(sgd(), 1)], []),
        ValueError,
        "belong to the same optimizer",
    ),
    (lambda: _in_sequence(lr_scheduler.ReduceLROnPlateau, []), ValueError, "does not support `ReduceLROnPlateau`"),
    (
        lambda: _in_sequence(lambda o: lr_scheduler.StepLR(o, 1), [3]),
        ValueError,
        "schedulers 1 and the number of milestones to be equal to 1",
    ),
    (build("ChainedScheduler", []), ValueError, "expects at least one scheduler"),
    (
        lambda: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(sgd(), 1), lr_scheduler.StepLR(sgd(), 1)]),
        ValueError,
        "belong to the same optimizer, but got scheduler StepLR at index 1",
    ),
    (build("OneCycleLR", 1, 0.1), TypeError, "int is not an Optimizer"),
    (build("OneCycleLR", sgd(), 0.1), ValueError, "either total_steps OR"),
    (build("OneCycleLR", sgd(), 0.1, 0), ValueError, "Expected positive integer total_steps, but got 0"),
    (
        build("OneCycleLR", sgd(), 0.1, epochs=0, steps_per_epoch=3),
        ValueError,
        "Expected positive integer epochs, but got 0",
    ),
    (
        build("OneCycleLR", sgd(), 0.1, epochs=2, steps_per_epoch=0),
        ValueError,
        "Expected positive integer steps_per_epoch, but got 0",
    ),
    (build("OneCycleLR", sgd(), 0.1, 3, pct_start=2), ValueError, "between 0 and 1 pct_start, but got 2"),
    (build("OneCycleLR", sgd(), 0.1, 3, anneal_strategy="x"), ValueError, "one of 'cos' or 'linear', instead got x"),
    (build("OneCycleLR", sgd(), [0.1], 3), ValueError, "max_lr has 1 values, param_groups has 2"),
    (build("OneCycleLR", optim.Adagrad(pair()), 0.1, 3), ValueError, "must support momentum or beta1"),
    (
        lambda: list(cases.run_schedule(lr_scheduler.OneCycleLR(sgd(), 0.1, 3))),
        ValueError,
        "step 4 times. .* total steps is 3",
    ),
    (build("ReduceLROnPlateau", sgd(), factor=1.0), ValueError, "Factor should be < 1.0, got 1.0"),
    (build("ReduceLROnPlateau", 1), TypeError, "int is not an Optimizer"),
    (build("ReduceLROnPlateau", sgd(), "x"), ValueError, "mode x is unknown!"),
    (build("ReduceLROnPlateau", sgd(), threshold_mode="x"), ValueError, "threshold mode x is unknown!"),
    (build("ReduceLROnPlateau", sgd(), min_lr=[1]), ValueError, "expected 2 min_lrs, got 1"),
]


def _in_sequence(kind, milestones):
    optimizer = sgd()
    return lr_scheduler.SequentialLR(optimizer, [kind(optimizer)], milestones)


@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_constant_factor_of_zero_comes_back_to_the_base_rate():
    optimizer = sgd()
    scheduler = lr_scheduler.ConstantLR(optimizer, 0.0, total_iters=2)
    rates = [row[0] for row in cases.run_schedule(scheduler, 0, 3)]
    assert rates == [0.0, 0.1, 0.1]
