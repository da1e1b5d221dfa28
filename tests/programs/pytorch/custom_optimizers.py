"""Optimizers written as subclasses (Lion, Lookahead, LARS), their states saved and loaded; schedules from lambdas."""

import io
import math
from collections import defaultdict

import torch
import torch.nn as nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.optimizer import Optimizer, required


class Lion(Optimizer):
    r"""Sign of an interpolated momentum."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        if not 0.0 <= lr:
            raise ValueError("Invalid learning rate: {}".format(lr))
        if not 0.0 <= betas[0] < 1.0:
            raise ValueError("Invalid beta parameter at index 0: {}".format(betas[0]))
        defaults = dict(lr=lr, betas=betas, weight_decay=weight_decay)
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                grad = p.grad
                state = self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = torch.zeros_like(p)
                exp_avg = state["exp_avg"]
                beta1, beta2 = group["betas"]
                update = exp_avg * beta1 + grad * (1 - beta1)
                p.add_(update.sign_(), alpha=-group["lr"])
                exp_avg.mul_(beta2).add_(grad, alpha=1 - beta2)
        return loss


class LARS(Optimizer):
    def __init__(self, params, lr=required, momentum=0.9, weight_decay=0.0, eta=0.001):
        super(LARS, self).__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, eta=eta))

    def __setstate__(self, state):
        super(LARS, self).__setstate__(state)

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g["params"]:
                dp = p.grad
                if dp is None:
                    continue
                if p.ndim > 1:
                    dp = dp.add(p, alpha=g["weight_decay"])
                    param_norm = torch.norm(p)
                    update_norm = torch.norm(dp)
                    one = torch.ones_like(param_norm)
                    q = torch.where(
                        param_norm > 0.0, torch.where(update_norm > 0, (g["eta"] * param_norm / update_norm), one), one
                    )
                    dp = dp.mul(q)
                param_state = self.state[p]
                if "mu" not in param_state:
                    param_state["mu"] = torch.zeros_like(p)
                mu = param_state["mu"]
                mu.mul_(g["momentum"]).add_(dp)
                p.add_(mu, alpha=-g["lr"])


class Lookahead(Optimizer):
    def __init__(self, optimizer, k=5, alpha=0.5):
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self.optimizer = optimizer
        self.k = k
        self.alpha = alpha
        self.param_groups = self.optimizer.param_groups
        self.state = defaultdict(dict)
        self.fast_state = self.optimizer.state
        for group in self.param_groups:
            group["counter"] = 0

    def update(self, group):
        for fast in group["params"]:
            param_state = self.state[fast]
            if "slow_param" not in param_state:
                param_state["slow_param"] = torch.zeros_like(fast.data)
                param_state["slow_param"].copy_(fast.data)
            slow = param_state["slow_param"]
            slow += (fast.data - slow) * self.alpha
            fast.data.copy_(slow)

    def step(self, closure=None):
        loss = self.optimizer.step(closure)
        for group in self.param_groups:
            if group["counter"] == 0:
                self.update(group)
            group["counter"] += 1
            if group["counter"] >= self.k:
                group["counter"] = 0
        return loss


class WarmupInverseSquareRoot(LRScheduler):
    def __init__(self, optimizer, warmup, last_epoch=-1):
        self.warmup = warmup
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        step = max(1, self.last_epoch)
        return [base * min(step / self.warmup, math.sqrt(self.warmup / step)) for base in self.base_lrs]


def get_cosine_schedule_with_warmup(optimizer, num_warmup_steps, num_training_steps, num_cycles=0.5, last_epoch=-1):
    def lr_lambda(current_step):
        if current_step < num_warmup_steps:
            return float(current_step) / float(max(1, num_warmup_steps))
        progress = float(current_step - num_warmup_steps) / float(max(1, num_training_steps - num_warmup_steps))
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * float(num_cycles) * 2.0 * progress)))

    return LambdaLR(optimizer, lr_lambda, last_epoch)


torch.manual_seed(10)
X = torch.randn(64, 6)
y = (X[:, :2] ** 2).sum(1, keepdim=True) + 0.1 * torch.randn(64, 1)


def make_model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.ELU(), nn.Linear(16, 1))


def run(name, model, optimizer, scheduler=None, steps=20):
    rates = []
    for step in range(steps):
        loss = nn.functional.mse_loss(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
        if scheduler is not None:
            scheduler.step()
    print(f"{name:12s} loss {loss.item():.4f} lr {' '.join(f'{r:.5f}' for r in rates[::6])}")
    return loss


model = make_model()
optimizer = Lion(model.parameters(), lr=1e-2, weight_decay=0.01)
print(optimizer)
run("Lion", model, optimizer, get_cosine_schedule_with_warmup(optimizer, 4, 20))
model = make_model()
optimizer = LARS(model.parameters(), lr=1.0, eta=0.02, weight_decay=1e-4)
run("LARS", model, optimizer, WarmupInverseSquareRoot(optimizer, 6))
model = make_model()
optimizer = Lookahead(torch.optim.RAdam(model.parameters(), lr=2e-2), k=4)
run("Lookahead", model, optimizer)
model = make_model()
decay, no_decay = [], []
for name, param in model.named_parameters():
    (no_decay if len(param.shape) == 1 or name.endswith(".bias") else decay).append(param)
optimizer = torch.optim.NAdam(
    [{"params": no_decay, "weight_decay": 0.0}, {"params": decay, "weight_decay": 0.05, "lr": 5e-3}], lr=1e-2
)
run("groups", model, optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, [8, 14], gamma=0.3))
print([group["lr"] for group in optimizer.param_groups], [len(group["params"]) for group in optimizer.param_groups])

# interrupted in the middle and gone on with: the same as in one run
model = make_model()
optimizer = Lion(model.parameters(), lr=1e-2)
scheduler = get_cosine_schedule_with_warmup(optimizer, 2, 20)
whole = run("whole", model, optimizer, scheduler)
model = make_model()
optimizer = Lion(model.parameters(), lr=1e-2)
scheduler = get_cosine_schedule_with_warmup(optimizer, 2, 20)
run("first half", model, optimizer, scheduler, steps=10)
buffer = io.BytesIO()
torch.save(
    {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, buffer
)
buffer.seek(0)
checkpoint = torch.load(buffer)
other = make_model()
optimizer = Lion(other.parameters(), lr=99.0)
scheduler = get_cosine_schedule_with_warmup(optimizer, 2, 20)
other.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
scheduler.load_state_dict(checkpoint["scheduler"])
resumed = run("second half", other, optimizer, scheduler, steps=10)
print(torch.equal(whole, resumed), scheduler.last_epoch, optimizer.state_dict()["param_groups"])
print({k: {n: tuple(t.shape) for n, t in v.items()} for k, v in optimizer.state_dict()["state"].items()})

# hooks around the step, a new group on the way, and what is refused
calls = []
handle = optimizer.register_step_post_hook(lambda opt, args, kwargs: calls.append(len(opt.param_groups)))
extra = nn.Parameter(torch.ones(3))
optimizer.add_param_group({"params": [extra], "lr": 0.5})
(extra.sum() * 2).backward()
optimizer.step()
handle.remove()
optimizer.step()
print(calls, extra.data, len(optimizer.state))
for bad in (lambda: Lion([extra], lr=-1.0), lambda: Lion([]), lambda: optimizer.add_param_group({"params": [extra]})):
    try:
        bad()
    except ValueError as e:
        print(type(e).__name__, e)
