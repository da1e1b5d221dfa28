"""Functions with a backward of their own: a polynomial, a straight-through step, an op with two outputs."""

import math

import torch
from torch.autograd import Function, gradcheck
from torch.autograd.function import once_differentiable


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Step(Function):
    @staticmethod
    def forward(ctx, x, slope):
        ctx.slope = slope
        return (x > 0).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return g * ctx.slope, None


class Polar(Function):
    @staticmethod
    def forward(x, y):
        return torch.sqrt(x * x + y * y), torch.atan2(y, x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output[0])

    @staticmethod
    def backward(ctx, dr, dtheta):
        x, y, r = ctx.saved_tensors
        return dr * x / r - dtheta * y / r**2, dr * y / r + dtheta * x / r**2


x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
a, b, c, d = (torch.full((), v, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3))
for t in range(200):
    P3 = LegendrePolynomial3.apply
    y_pred = a + b * P3(c + d * x)
    loss = (y_pred - y).pow(2).sum()
    if t % 50 == 49:
        print(t, f"{loss.item():.4f}")
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= 5e-5 * p.grad
            p.grad = None
print(f"Result: y = {a.item():.4f} + {b.item():.4f} * P3({c.item():.4f} + {d.item():.4f} x)")

u = torch.tensor([0.5, -0.5, 2.0], requires_grad=True)
out = Step.apply(u, 0.25)
print(out)
out.sum().backward()
print(u.grad)
v, w = (torch.tensor(values, dtype=torch.double, requires_grad=True) for values in ([3.0, 1.0], [4.0, -2.0]))
print(Polar.apply(v, w))
print(gradcheck(Polar.apply, (v, w)), gradcheck(LegendrePolynomial3.apply, v))
r, theta = Polar.apply(v, w)
(gv,) = torch.autograd.grad((r * theta).sum(), v, create_graph=True)
print(torch.autograd.grad(gv.sum(), (v, w)))
