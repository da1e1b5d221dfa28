"""A small framework in the manner of course libraries: Learner, callbacks, metrics, a learning-rate finder, summaries."""

import math
import re
from functools import partial
from operator import attrgetter

import torch
import torch.nn.functional as F
from torch import nn, optim, tensor
from torch.utils.data import DataLoader, default_collate

torch.set_printoptions(precision=4, linewidth=120, sci_mode=False)
torch.manual_seed(1)


def camel2snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class CancelFitException(Exception):
    pass


class CancelBatchException(Exception):
    pass


class CancelEpochException(Exception):
    pass


class Callback:
    order = 0

    @property
    def name(self):
        return camel2snake(self.__class__.__name__.removesuffix("CB"))


def run_cbs(cbs, method_nm, learn=None):
    for cb in sorted(cbs, key=attrgetter("order")):
        method = getattr(cb, method_nm, None)
        if method is not None:
            method(learn)


class with_cbs:
    def __init__(self, nm):
        self.nm = nm

    def __call__(self, f):
        def _f(o, *args, **kwargs):
            try:
                o.callback(f"before_{self.nm}")
                f(o, *args, **kwargs)
                o.callback(f"after_{self.nm}")
            except globals()[f"Cancel{self.nm.title()}Exception"]:
                pass
            finally:
                o.callback(f"cleanup_{self.nm}")

        return _f


class Learner:
    def __init__(self, model, dls, loss_func=F.mse_loss, lr=0.1, cbs=None, opt_func=optim.SGD):
        self.model, self.dls, self.loss_func, self.lr, self.opt_func = model, dls, loss_func, lr, opt_func
        self.cbs = list(cbs or [])

    @with_cbs("batch")
    def _one_batch(self):
        self.predict()
        self.callback("after_predict")
        self.get_loss()
        self.callback("after_loss")
        if self.training:
            self.backward()
            self.callback("after_backward")
            self.step()
            self.callback("after_step")
            self.zero_grad()

    @with_cbs("epoch")
    def _one_epoch(self):
        for self.iter, self.batch in enumerate(self.dl):
            self._one_batch()

    def one_epoch(self, training):
        self.model.train(training)
        self.training = training
        self.dl = self.dls[0] if training else self.dls[1]
        self._one_epoch()

    @with_cbs("fit")
    def _fit(self, train, valid):
        for self.epoch in self.epochs:
            if train:
                self.one_epoch(True)
            if valid:
                torch.no_grad()(self.one_epoch)(False)

    def fit(self, n_epochs=1, train=True, valid=True, cbs=None, lr=None):
        for cb in cbs or []:
            self.cbs.append(cb)
        try:
            self.n_epochs = n_epochs
            self.epochs = range(n_epochs)
            self.opt = self.opt_func(self.model.parameters(), self.lr if lr is None else lr)
            self._fit(train, valid)
        finally:
            for cb in cbs or []:
                self.cbs.remove(cb)

    def __getattr__(self, name):
        if name in ("predict", "get_loss", "backward", "step", "zero_grad"):
            return partial(self.callback, name)
        raise AttributeError(name)

    def callback(self, method_nm):
        run_cbs(self.cbs, method_nm, self)


class TrainCB(Callback):
    def predict(self, learn):
        learn.preds = learn.model(learn.batch[0])

    def get_loss(self, learn):
        learn.loss = learn.loss_func(learn.preds, learn.batch[1])

    def backward(self, learn):
        learn.loss.backward()

    def step(self, learn):
        learn.opt.step()

    def zero_grad(self, learn):
        learn.opt.zero_grad()


class Metric:
    def __init__(self):
        self.reset()

    def reset(self):
        self.vals, self.ns = [], []

    def add(self, inp, targ=None, n=1):
        self.last = self.calc(inp, targ)
        self.vals.append(self.last)
        self.ns.append(n)

    @property
    def value(self):
        ns = tensor(self.ns)
        return (tensor(self.vals) * ns).sum() / ns.sum()

    def calc(self, inps, targs):
        return inps


class Accuracy(Metric):
    def calc(self, inps, targs):
        return (inps.argmax(dim=1) == targs).float().mean()


class MetricsCB(Callback):
    order = 5

    def __init__(self, **metrics):
        self.metrics = metrics
        self.all_metrics = dict(metrics, loss=Metric())

    def before_epoch(self, learn):
        for o in self.all_metrics.values():
            o.reset()

    def after_epoch(self, learn):
        log = {k: f"{v.value:.4f}" for k, v in self.all_metrics.items()}
        log["epoch"] = learn.epoch
        log["train"] = "train" if learn.model.training else "eval"
        print(log)

    def after_batch(self, learn):
        x, y, *_ = learn.batch
        for m in self.metrics.values():
            m.add(learn.preds.detach(), y)
        self.all_metrics["loss"].add(learn.loss.detach(), n=len(x))


class BaseSchedCB(Callback):
    def __init__(self, sched):
        self.sched = sched

    def before_fit(self, learn):
        self.schedo = self.sched(learn.opt)

    def _step(self, learn):
        if learn.training:
            self.schedo.step()


class BatchSchedCB(BaseSchedCB):
    def after_batch(self, learn):
        self._step(learn)


class RecorderCB(Callback):
    order = 9

    def __init__(self, **d):
        self.d = d

    def before_fit(self, learn):
        self.recs = {k: [] for k in self.d}

    def after_batch(self, learn):
        if learn.training:
            for k, v in self.d.items():
                self.recs[k].append(v(learn))


class LRFinderCB(Callback):
    def __init__(self, gamma=1.5, max_mult=3):
        self.gamma, self.max_mult = gamma, max_mult

    def before_fit(self, learn):
        self.sched = optim.lr_scheduler.ExponentialLR(learn.opt, self.gamma)
        self.lrs, self.losses = [], []
        self.min = math.inf

    def after_batch(self, learn):
        if not learn.training:
            raise CancelEpochException()
        self.lrs.append(learn.opt.param_groups[0]["lr"])
        loss = learn.loss.item()
        self.losses.append(loss)
        if loss < self.min:
            self.min = loss
        if math.isnan(loss) or (loss > self.min * self.max_mult):
            raise CancelFitException()
        self.sched.step()


class SingleBatchCB(Callback):
    order = 1

    def after_batch(self, learn):
        raise CancelFitException()


class Hook:
    def __init__(self, m, f):
        self.hook = m.register_forward_hook(partial(f, self))

    def remove(self):
        self.hook.remove()

    def __del__(self):
        self.remove()


class ActivationStats(Callback):
    order = 1

    def __init__(self, mod_filter):
        self.mod_filter = mod_filter

    def before_fit(self, learn):
        self.hooks = [Hook(m, self.append) for m in learn.model.modules() if self.mod_filter(m)]

    def append(self, hook, mod, inp, outp):
        if not hasattr(hook, "stats"):
            hook.stats = ([], [], [])
        acts = outp.detach().cpu()
        hook.stats[0].append(acts.mean())
        hook.stats[1].append(acts.std())
        hook.stats[2].append(acts.abs().histc(10, 0, 2))

    def after_fit(self, learn):
        for i, h in enumerate(self.hooks):
            print(i, torch.stack(h.stats[0])[-2:], torch.stack(h.stats[1])[-2:], h.stats[2][-1].long().tolist())

    def cleanup_fit(self, learn):
        for h in self.hooks:
            h.remove()


def lsuv_stats(hook, mod, inp, outp):
    acts = outp.detach()
    hook.mean = acts.mean()
    hook.std = acts.std()


def lsuv_init(model, m, m_in, xb):
    h = Hook(m, lsuv_stats)
    with torch.no_grad():
        while model(xb) is not None and (abs(h.std - 1) > 1e-3 or abs(h.mean) > 1e-3):
            m_in.bias -= h.mean
            m_in.weight.data /= h.std
    h.remove()
    return h.mean, h.std


class GeneralRelu(nn.Module):
    def __init__(self, leak=None, sub=None, maxv=None):
        super().__init__()
        self.leak, self.sub, self.maxv = leak, sub, maxv

    def forward(self, x):
        x = F.leaky_relu(x, self.leak) if self.leak is not None else F.relu(x)
        if self.sub is not None:
            x -= self.sub
        if self.maxv is not None:
            x.clamp_max_(self.maxv)
        return x


def conv(ni, nf, ks=3, stride=2, act=True):
    res = nn.Conv2d(ni, nf, stride=stride, kernel_size=ks, padding=ks // 2)
    if act:
        res = nn.Sequential(res, GeneralRelu(leak=0.1, sub=0.4))
    return res


# pictures of one of four quarters lit
n = 160
y = torch.randint(0, 4, (n,))
x = torch.rand(n, 1, 8, 8) * 0.6
for i, q in enumerate(y):
    r, c = divmod(q.item(), 2)
    x[i, 0, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4] += 0.5
xmean, xstd = x.mean(), x.std()
print(xmean, xstd)
ds = [{"image": (a - xmean) / xstd, "label": b} for a, b in zip(x, y)]


def collate_dict(keys):
    return lambda b: tuple(default_collate(b)[k] for k in keys)


dls = [
    DataLoader(part, batch_size=16, shuffle=i == 0, collate_fn=collate_dict(["image", "label"]))
    for i, part in enumerate((ds[:128], ds[128:]))
]


def get_model():
    return nn.Sequential(conv(1, 4), conv(4, 8), conv(8, 4, act=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def init_weights(m, leaky=0.1):
    if isinstance(m, (nn.Conv1d, nn.Conv2d)):
        nn.init.kaiming_normal_(m.weight, a=leaky)


xb, yb = next(iter(dls[0]))
print(xb.shape, yb[:6])
finder = LRFinderCB(gamma=1.6)
model = get_model().apply(init_weights)
Learner(model, dls, F.cross_entropy, lr=1e-3, cbs=[TrainCB(), finder]).fit(3)
best = tensor(finder.losses).argmin()
print(
    len(finder.lrs), best, f"{finder.lrs[best]:.5f} {finder.losses[best]:.4f}", [round(v, 3) for v in finder.losses[:4]]
)

model = get_model().apply(init_weights)
relus = [o for o in model.modules() if isinstance(o, GeneralRelu)]
convs = [o for o in model.modules() if isinstance(o, nn.Conv2d)]
for ms in zip(relus, convs):
    mean, std = lsuv_init(model, *ms, xb)
    print(f"{mean.abs().item() < 1e-3} {std.item():.3f}")
epochs = 4
sched = partial(optim.lr_scheduler.OneCycleLR, max_lr=0.02, total_steps=epochs * len(dls[0]))
recorder = RecorderCB(lr=lambda l: l.opt.param_groups[0]["lr"], mom=lambda l: l.opt.param_groups[0]["betas"][0])
stats = ActivationStats(lambda o: isinstance(o, GeneralRelu))
learn = Learner(
    model,
    dls,
    F.cross_entropy,
    lr=0.02,
    opt_func=optim.AdamW,
    cbs=[TrainCB(), MetricsCB(accuracy=Accuracy()), BatchSchedCB(sched), recorder, stats],
)
learn.fit(epochs)
print([round(v, 5) for v in recorder.recs["lr"][::8]], [round(v, 4) for v in recorder.recs["mom"][::8]])
learn.fit(1, valid=False, cbs=[SingleBatchCB()])
print(learn.loss.item() > 0, learn.batch[1].shape, [cb.name for cb in learn.cbs])
print(sum(p.numel() for p in model.parameters()), [tuple(p.shape) for p in model.parameters()][:2])
