"""Second derivatives every way: Hessian-vector products, power iteration, Newton-CG, Hutchinson's trace, Fisher, SAM."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from torch.nn.utils import parameters_to_vector, vector_to_parameters

torch.manual_seed(3)
X = torch.randn(40, 5)
true_w = torch.randn(5, 3)
y = (X @ true_w + 0.3 * torch.randn(40, 3)).argmax(1)
model = nn.Sequential(nn.Linear(5, 6), nn.Softplus(), nn.Linear(6, 3))
params = list(model.parameters())
n = sum(p.numel() for p in params)
print(n, "parameters")


def loss_fn():
    return F.cross_entropy(model(X), y)


def flat(tensors):
    return torch.cat([t.contiguous().view(-1) for t in tensors])


def hessian_vector_product(vector, damping=0.0):
    grads = torch.autograd.grad(loss_fn(), params, create_graph=True)
    dot = (flat(grads) * vector).sum()
    hv = torch.autograd.grad(dot, params)
    return flat(hv) + damping * vector


# the largest eigenvalue by power iteration, against the whole Hessian
rows = []
grads = flat(torch.autograd.grad(loss_fn(), params, create_graph=True))
for g in grads:
    rows.append(flat(torch.autograd.grad(g, params, retain_graph=True)))
H = torch.stack(rows)
print(H.shape, torch.allclose(H, H.T, atol=1e-6), f"trace {H.trace():.4f}")
v = torch.randn(n)
v /= v.norm()
for i in range(15):
    hv = hessian_vector_product(v)
    eigenvalue = torch.dot(hv, v)
    v = hv / (hv.norm() + 1e-12)
    if i % 5 == 4:
        print(f"iteration {i} eigenvalue {eigenvalue.item():.4f}")
print(torch.allclose(H @ v, hessian_vector_product(v), atol=1e-5))


# trace by Hutchinson's probes, diagonal by the same
g = torch.Generator()
g.manual_seed(0)
estimates, diagonal = [], torch.zeros(n)
for _ in range(20):
    z = torch.randint(0, 2, (n,), generator=g).float() * 2 - 1
    hz = hessian_vector_product(z)
    estimates.append(z @ hz)
    diagonal += z * hz / 20
print(f"hutchinson {torch.stack(estimates).mean():.4f} +- {torch.stack(estimates).std():.4f}", diagonal[:3])


def conjugate_gradients(Avp, b, nsteps, residual_tol=1e-10):
    x = torch.zeros(b.size())
    r = b.clone()
    p = b.clone()
    rdotr = torch.dot(r, r)
    for i in range(nsteps):
        _Avp = Avp(p)
        alpha = rdotr / torch.dot(p, _Avp)
        x += alpha * p
        r -= alpha * _Avp
        new_rdotr = torch.dot(r, r)
        betta = new_rdotr / rdotr
        p = r + betta * p
        rdotr = new_rdotr
        if rdotr < residual_tol:
            break
    return x


print("Newton-CG")
for step in range(4):
    loss = loss_fn()
    gradient = parameters_to_vector(torch.autograd.grad(loss, params))
    direction = conjugate_gradients(lambda p: hessian_vector_product(p, damping=0.5), gradient, 8)
    old = parameters_to_vector(model.parameters()).detach()
    for fraction in (1.0, 0.5, 0.25):
        vector_to_parameters(old - fraction * direction, model.parameters())
        with torch.no_grad():
            if loss_fn() < loss:
                break
    print(f"{loss.item():.5f} -> {loss_fn().item():.5f} ({fraction}) |g| {gradient.norm().item():.5f}")

# the functional interface
W = torch.randn(3, 2, dtype=torch.double)


def energy(a, b):
    return ((a @ W) ** 3).sum() * b.exp().prod() + (a**2).sum()


a, b = torch.randn(3, dtype=torch.double), torch.randn(2, dtype=torch.double) * 0.1
J = jacobian(lambda a: torch.tanh(a @ W), a)
print(J)
(Haa, Hab), (Hba, Hbb) = hessian(energy, (a, b))
print(Haa, torch.allclose(Hab, Hba.T), Hbb)
va, vb = torch.ones(3, dtype=torch.double), torch.zeros(2, dtype=torch.double)
print(hvp(energy, (a, b), (va, vb))[1][0], torch.allclose(Haa @ va, hvp(energy, (a, b), (va, vb))[1][0]))
print(vhp(energy, (a, b), (va, vb))[1][1])
out, product = vjp(lambda a: torch.tanh(a @ W), a, torch.tensor([1.0, -1.0], dtype=torch.double))
print(out, product, jvp(lambda a: torch.tanh(a @ W), a, va)[1])

print("empirical Fisher and sharpness-aware steps")
fisher = [torch.zeros_like(p) for p in params]
for x_i, y_i in zip(X[:10], y[:10]):
    model.zero_grad()
    F.nll_loss(F.log_softmax(model(x_i.unsqueeze(0)), dim=1), y_i.unsqueeze(0)).backward()
    for f, p in zip(fisher, params):
        f.add_(p.grad.detach() ** 2 / 10)
print([round(f.sum().item(), 5) for f in fisher])
optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9)
rho = 0.05
for step in range(6):
    loss = loss_fn()
    optimizer.zero_grad()
    loss.backward()
    norm = torch.norm(torch.stack([p.grad.norm(p=2) for p in params]), p=2)
    with torch.no_grad():
        e_ws = []
        for p in params:
            e_w = p.grad * (rho / (norm + 1e-12))
            p.add_(e_w)
            e_ws.append(e_w)
    sharp = loss_fn()
    optimizer.zero_grad()
    sharp.backward()
    with torch.no_grad():
        for p, e_w in zip(params, e_ws):
            p.sub_(e_w)
    optimizer.step()
    if step % 2:
        print(f"step {step} loss {loss.item():.5f} sharp {sharp.item():.5f} norm {norm.item():.5f}")
penalty = sum((f * (p - 0.1) ** 2).sum() for f, p in zip(fisher, params))
print(penalty, torch.autograd.grad(penalty, params[1])[0])
