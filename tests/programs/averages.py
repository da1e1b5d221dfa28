"""Programs that average the weights of a model: SWA, EMA, what they do to batch norm, the rate they run at."""

import importlib

from programs.common import error_of

CASES: dict = {}


def _swa(m):
    return importlib.import_module(f"{m.__name__}.optim.swa_utils")


def _trained(m, **options):
    """An averaged model after four steps of a known training."""
    model = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.BatchNorm1d(2))
    for i, p in enumerate(model.parameters()):
        p.data = m.arange(1.0, p.numel() + 1).reshape(p.shape) / (i + 2)
    averaged = _swa(m).AveragedModel(model, **options)
    optimizer = m.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        optimizer.zero_grad()
        x = m.arange(6.0).reshape(3, 2) * (step + 1)
        (model(x) ** 2 * m.tensor([1.0, 0.5])).sum().backward()
        optimizer.step()
        averaged.update_parameters(model)
    return model, averaged


def equal_averages(m):
    _, averaged = _trained(m)
    return [[p.detach() for p in averaged.parameters()], list(averaged.buffers()), averaged.n_averaged]


def exponential_averages(m):
    swa = _swa(m)
    runs = [_trained(m, multi_avg_fn=swa.get_ema_multi_avg_fn(0.8)), _trained(m, avg_fn=swa.get_ema_avg_fn(0.8))]
    runs.append(_trained(m, multi_avg_fn=swa.get_swa_multi_avg_fn()))
    return [[p.detach() for p in averaged.parameters()] for _, averaged in runs]


def averages_of_ones_own(m):
    _, averaged = _trained(m, avg_fn=lambda mean, new, n: mean * 0.25 + new * 0.75 + n)
    return [p.detach() for p in averaged.parameters()]


def buffers_too(m):
    averaged = _trained(m, avg_fn=_swa(m).get_ema_avg_fn(0.5), use_buffers=True)[1]
    return [list(averaged.buffers()), list(averaged.state_dict())]


def it_is_called_as_the_model_is(m):
    model, averaged = _trained(m)
    averaged.eval()
    return averaged(m.ones(1, 2)).detach(), model.eval()(m.ones(1, 2)).detach()


def batch_norm_anew(m):
    model, _ = _trained(m)
    model.eval()
    batches = [(m.arange(6.0).reshape(3, 2) + i, "label") for i in range(3)]
    _swa(m).update_bn(batches, model)
    return [list(model.buffers()), model.training, model[1].momentum, _swa(m).update_bn(batches, m.nn.ReLU())]


def _rates(m, steps=6, **options):
    p, q = m.ones(1, requires_grad=True), m.ones(1, requires_grad=True)
    optimizer = m.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.5}], lr=0.1)
    base = m.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    schedule, seen = _swa(m).SWALR(optimizer, **options), []
    for step in range(steps):
        optimizer.step()
        (base if step == 1 else schedule).step()
        seen.append([group["lr"] for group in optimizer.param_groups])
    return [seen, schedule.get_last_lr(), schedule.last_epoch]


def rates(m):
    return [
        _rates(m, swa_lr=0.05),
        _rates(m, swa_lr=[0.05, 0.2], anneal_epochs=3, anneal_strategy="linear"),
        _rates(m, swa_lr=0.01, anneal_epochs=0),
    ]


def refused(m):
    swa, layer = _swa(m), m.nn.Linear(1, 1)
    optimizer = m.optim.SGD(layer.parameters(), lr=0.1)
    return [
        error_of(lambda: swa.AveragedModel(layer, avg_fn=max, multi_avg_fn=max)),
        error_of(lambda: swa.get_ema_avg_fn(1.5)),
        error_of(lambda: swa.get_ema_multi_avg_fn(-0.1)),
        error_of(lambda: swa.SWALR(optimizer, 0.1, anneal_strategy="step")),
        error_of(lambda: swa.SWALR(optimizer, 0.1, anneal_epochs=-1)),
        error_of(lambda: swa.SWALR(optimizer, [0.1, 0.2])),
    ]
