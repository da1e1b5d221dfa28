"""Learning to learn sines: MAML with second-order gradients, parameters by hand, then with torch.func; Reptile after."""

import copy
import math
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap

torch.manual_seed(0)


class Task:
    def __init__(self):
        self.amplitude = torch.empty(1).uniform_(0.1, 5.0).item()
        self.phase = torch.empty(1).uniform_(0, math.pi).item()

    def sample(self, k):
        x = torch.rand(k, 1) * 10 - 5
        return x, self.amplitude * torch.sin(x + self.phase)


class MAMLModel(nn.Module):
    def __init__(self, hidden=24):
        super(MAMLModel, self).__init__()
        self.model = nn.Sequential(
            OrderedDict(
                [
                    ("l1", nn.Linear(1, hidden)),
                    ("relu1", nn.ReLU()),
                    ("l2", nn.Linear(hidden, hidden)),
                    ("relu2", nn.ReLU()),
                    ("l3", nn.Linear(hidden, 1)),
                ]
            )
        )

    def forward(self, x):
        return self.model(x)

    def parameterised(self, x, weights):
        x = nn.functional.linear(x, weights[0], weights[1])
        x = nn.functional.relu(x)
        x = nn.functional.linear(x, weights[2], weights[3])
        x = nn.functional.relu(x)
        x = nn.functional.linear(x, weights[4], weights[5])
        return x


class MAML:
    def __init__(self, model, inner_lr, meta_lr, K=10, inner_steps=1, tasks_per_meta_batch=4):
        self.model = model
        self.weights = list(model.parameters())
        self.criterion = nn.MSELoss()
        self.meta_optimiser = torch.optim.Adam(self.weights, meta_lr)
        self.inner_lr, self.meta_lr, self.K = inner_lr, meta_lr, K
        self.inner_steps, self.tasks_per_meta_batch = inner_steps, tasks_per_meta_batch

    def inner_loop(self, task, first_order=False):
        temp_weights = [w.clone() for w in self.weights]
        X, y = task.sample(self.K)
        for step in range(self.inner_steps):
            loss = self.criterion(self.model.parameterised(X, temp_weights), y)
            grad = torch.autograd.grad(loss, temp_weights, create_graph=not first_order)
            temp_weights = [w - self.inner_lr * g for w, g in zip(temp_weights, grad)]
        X, y = task.sample(self.K)
        return self.criterion(self.model.parameterised(X, temp_weights), y)

    def main_loop(self, num_iterations, print_every):
        epoch_loss = 0
        for iteration in range(1, num_iterations + 1):
            meta_loss = 0
            for i in range(self.tasks_per_meta_batch):
                meta_loss += self.inner_loop(Task(), first_order=iteration % 5 == 0)
            meta_grads = torch.autograd.grad(meta_loss, self.weights)
            for w, g in zip(self.weights, meta_grads):
                w.grad = g
            self.meta_optimiser.step()
            epoch_loss += meta_loss.item() / self.tasks_per_meta_batch
            if iteration % print_every == 0:
                norm = torch.stack([g.norm() for g in meta_grads]).norm()
                print(
                    "{}/{}. loss: {:.4f} gradient {:.4f}".format(
                        iteration, num_iterations, epoch_loss / print_every, norm
                    )
                )
                epoch_loss = 0


maml = MAML(MAMLModel(), inner_lr=0.01, meta_lr=0.002, inner_steps=2)
maml.main_loop(num_iterations=20, print_every=5)


def loss_on_random_task(initial_model, K, num_steps, optim=torch.optim.SGD):
    model = nn.Sequential(OrderedDict([(name, copy.deepcopy(layer)) for name, layer in initial_model.named_children()]))
    criterion = nn.MSELoss()
    optimiser = optim(model.parameters(), 0.01)
    task = Task()
    X, y = task.sample(K)
    losses = []
    for step in range(1, num_steps + 1):
        loss = criterion(model(X), y) / K
        losses.append(round(loss.item(), 4))
        model.zero_grad()
        loss.backward()
        optimiser.step()
    return losses


print(loss_on_random_task(maml.model.model, 10, 4))

# the same meta-loss through torch.func
model = MAMLModel(8)
params = {name: p.detach() for name, p in model.named_parameters()}
tasks = [Task() for _ in range(3)]
x1, y1 = (torch.stack(t) for t in zip(*[task.sample(5) for task in tasks]))
x2, y2 = (torch.stack(t) for t in zip(*[task.sample(5) for task in tasks]))


def get_loss_for_task(params, x1, y1, x2, y2):
    def inner_loss(params, x1, y1):
        return F.mse_loss(functional_call(model, params, (x1,)), y1)

    grads = grad(inner_loss)(params, x1, y1)
    new_params = {k: params[k] - 0.01 * grads[k] for k in params}
    return F.mse_loss(functional_call(model, new_params, (x2,)), y2)


losses = vmap(get_loss_for_task, in_dims=(None, 0, 0, 0, 0))(params, x1, y1, x2, y2)
print(losses)
meta_grads = grad(lambda p: vmap(get_loss_for_task, in_dims=(None, 0, 0, 0, 0))(p, x1, y1, x2, y2).mean())(params)
print({name: round(g.norm().item(), 4) for name, g in meta_grads.items()})
by_loop = torch.stack([get_loss_for_task(params, *(t[i] for t in (x1, y1, x2, y2))) for i in range(3)])
print(torch.allclose(losses, by_loop, atol=1e-6))

# Reptile: move the weights towards where a few steps of SGD lead
meta = MAMLModel(16)
meta_lr = 0.5
for episode in range(6):
    task = Task()
    fast = copy.deepcopy(meta)
    optimizer = torch.optim.SGD(fast.parameters(), lr=0.02)
    for _ in range(5):
        x, y = task.sample(10)
        optimizer.zero_grad()
        loss = F.mse_loss(fast(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for p, q in zip(meta.parameters(), fast.parameters()):
            p.lerp_(q, meta_lr * (1 - episode / 6))
    if episode % 2:
        print(
            f"episode {episode} loss {loss.item():.4f} weights {sum(p.abs().sum() for p in meta.parameters()).item():.4f}"
        )
