"""One cubic fitted to a sine seven times: NumPy, tensors by hand, autograd, nn, optim, a module, control flow."""

import math
import random

import numpy as np
import torch


def with_numpy():
    x = np.linspace(-math.pi, math.pi, 400)
    y = np.sin(x)
    rng = np.random.RandomState(0)
    a, b, c, d = rng.randn(), rng.randn(), rng.randn(), rng.randn()
    learning_rate = 5e-6
    for t in range(300):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = np.square(y_pred - y).sum()
        if t % 100 == 99:
            print(t, round(float(loss), 4))
        grad_y_pred = 2.0 * (y_pred - y)
        grad_a = grad_y_pred.sum()
        grad_b = (grad_y_pred * x).sum()
        grad_c = (grad_y_pred * x**2).sum()
        grad_d = (grad_y_pred * x**3).sum()
        a -= learning_rate * grad_a
        b -= learning_rate * grad_b
        c -= learning_rate * grad_c
        d -= learning_rate * grad_d
    print(f"Result: y = {a:.5f} + {b:.5f} x + {c:.5f} x^2 + {d:.5f} x^3")


def with_tensors():
    dtype = torch.float
    device = torch.device("cpu")
    # device = torch.device("cuda:0")
    x = torch.linspace(-math.pi, math.pi, 400, device=device, dtype=dtype)
    y = torch.sin(x)
    a = torch.randn((), device=device, dtype=dtype)
    b = torch.randn((), device=device, dtype=dtype)
    c = torch.randn((), device=device, dtype=dtype)
    d = torch.randn((), device=device, dtype=dtype)
    learning_rate = 5e-6
    for t in range(300):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum().item()
        if t % 100 == 99:
            print(t, f"{loss:.4f}")
        grad_y_pred = 2.0 * (y_pred - y)
        grad_a = grad_y_pred.sum()
        grad_b = (grad_y_pred * x).sum()
        grad_c = (grad_y_pred * x**2).sum()
        grad_d = (grad_y_pred * x**3).sum()
        a -= learning_rate * grad_a
        b -= learning_rate * grad_b
        c -= learning_rate * grad_c
        d -= learning_rate * grad_d
    print(f"Result: y = {a.item():.5f} + {b.item():.5f} x + {c.item():.5f} x^2 + {d.item():.5f} x^3")


def with_autograd():
    torch.set_default_device("cpu")
    x = torch.linspace(-1, 1, 300, dtype=torch.float)
    y = torch.exp(x)
    a, b, c, d = (torch.randn((), dtype=torch.float, requires_grad=True) for _ in range(4))
    initial_loss = 1.0
    learning_rate = 1e-3
    for t in range(500):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        if t == 0:
            initial_loss = loss.item()
        if t % 100 == 99:
            print(
                f"Iteration t = {t:4d}  loss(t)/loss(0) = {round(loss.item() / initial_loss, 6):10.6f}  a = {a.item():10.6f}"
            )
        loss.backward()
        with torch.no_grad():
            a -= learning_rate * a.grad
            b -= learning_rate * b.grad
            c -= learning_rate * c.grad
            d -= learning_rate * d.grad
            a.grad = None
            b.grad = None
            c.grad = None
            d.grad = None
    print(f"Result: y = {a.item():.5f} + {b.item():.5f} x + {c.item():.5f} x^2 + {d.item():.5f} x^3")


def powers():
    x = torch.linspace(-math.pi, math.pi, 400)
    y = torch.sin(x)
    p = torch.tensor([1, 2, 3])
    return x, y, x.unsqueeze(-1).pow(p)


def with_nn():
    x, y, xx = powers()
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
    loss_fn = torch.nn.MSELoss(reduction="sum")
    for t in range(300):
        y_pred = model(xx)
        loss = loss_fn(y_pred, y)
        if t % 100 == 99:
            print(t, f"{loss.item():.4f}")
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                param -= 5e-6 * param.grad
    linear_layer = model[0]
    weight, bias = linear_layer.weight, linear_layer.bias
    print(
        f"Result: y = {bias.item():.5f} + {weight[:, 0].item():.5f} x + {weight[:, 1].item():.5f} x^2 + {weight[:, 2].item():.5f} x^3"
    )


def with_optim():
    x, y, xx = powers()
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
    loss_fn = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for t in range(300):
        y_pred = model(xx)
        loss = loss_fn(y_pred, y)
        if t % 100 == 99:
            print(t, f"{loss.item():.4f}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(model[0].weight, model[0].bias)


class Polynomial3(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.randn(()))
        self.b = torch.nn.Parameter(torch.randn(()))
        self.c = torch.nn.Parameter(torch.randn(()))
        self.d = torch.nn.Parameter(torch.randn(()))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3

    def string(self):
        return f"y = {self.a.item():.5f} + {self.b.item():.5f} x + {self.c.item():.5f} x^2 + {self.d.item():.5f} x^3"


class DynamicNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name in "abcde":
            self.register_parameter(name, torch.nn.Parameter(torch.randn(())))

    def forward(self, x):
        y = self.a + self.b * x + self.c * x**2 + self.d * x**3
        for exp in range(4, random.randint(4, 6)):
            y = y + self.e * x**exp
        return y

    def string(self):
        return f"y = {self.a.item():.5f} + {self.b.item():.5f} x + {self.c.item():.5f} x^2 + {self.d.item():.5f} x^3 + {self.e.item():.5f} x^4 ? + {self.e.item():.5f} x^5 ?"


def with_module(model, lr, momentum):
    x = torch.linspace(-math.pi, math.pi, 400)
    y = torch.sin(x)
    criterion = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    for t in range(300):
        y_pred = model(x)
        loss = criterion(y_pred, y)
        if t % 100 == 99:
            print(t, f"{loss.item():.3f}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"Result: {model.string()}")


if __name__ == "__main__":
    torch.manual_seed(5)
    random.seed(5)
    with_numpy()
    with_tensors()
    with_autograd()
    with_nn()
    with_optim()
    with_module(Polynomial3(), lr=5e-6, momentum=0)
    with_module(DynamicNet(), lr=1e-8, momentum=0.9)
