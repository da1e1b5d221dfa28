"""Physics-informed networks: an oscillator and Burgers' equation, derivatives of the network by autograd, twice."""

import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(123)
np.random.seed(1234)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class FCN(nn.Module):
    "Defines a standard fully-connected network in PyTorch"

    def __init__(self, N_INPUT, N_OUTPUT, N_HIDDEN, N_LAYERS):
        super().__init__()
        activation = nn.Tanh
        self.fcs = nn.Sequential(*[nn.Linear(N_INPUT, N_HIDDEN), activation()])
        self.fch = nn.Sequential(
            *[nn.Sequential(*[nn.Linear(N_HIDDEN, N_HIDDEN), activation()]) for _ in range(N_LAYERS - 1)]
        )
        self.fce = nn.Linear(N_HIDDEN, N_OUTPUT)

    def forward(self, x):
        x = self.fcs(x)
        x = self.fch(x)
        x = self.fce(x)
        return x


def exact_solution(d, w0, t):
    w = np.sqrt(w0**2 - d**2)
    phi = np.arctan(-d / w)
    A = 1 / (2 * np.cos(phi))
    cos = torch.cos(phi + w * t)
    exp = torch.exp(-d * t)
    return exp * 2 * A * cos


# the damped oscillator: u'' + mu u' + k u = 0, u(0) = 1, u'(0) = 0
pinn = FCN(1, 1, 16, 2)
t_boundary = torch.tensor(0.0).view(-1, 1).requires_grad_(True)
t_physics = torch.linspace(0, 1, 20).view(-1, 1).requires_grad_(True)
d, w0 = 1.0, 6.0
mu, k = 2 * d, w0**2
t_test = torch.linspace(0, 1, 40).view(-1, 1)
u_exact = exact_solution(d, w0, t_test)
optimiser = torch.optim.Adam(pinn.parameters(), lr=5e-3)
for i in range(121):
    optimiser.zero_grad()
    lambda1, lambda2 = 1e-1, 1e-3
    u = pinn(t_boundary)
    loss1 = (torch.squeeze(u) - 1) ** 2
    dudt = torch.autograd.grad(u, t_boundary, torch.ones_like(u), create_graph=True)[0]
    loss2 = (torch.squeeze(dudt) - 0) ** 2
    u = pinn(t_physics)
    dudt = torch.autograd.grad(u, t_physics, torch.ones_like(u), create_graph=True)[0]
    d2udt2 = torch.autograd.grad(dudt, t_physics, torch.ones_like(dudt), create_graph=True)[0]
    loss3 = torch.mean((d2udt2 + mu * dudt + k * u) ** 2)
    loss = loss1 + lambda1 * loss2 + lambda2 * loss3
    loss.backward()
    optimiser.step()
    if i % 40 == 0:
        u = pinn(t_test).detach()
        print(f"step {i} loss {loss.item():.5f} physics {loss3.item():.4f} error {torch.mean((u - u_exact) ** 2):.5f}")


# Burgers' equation with an unknown viscosity, found from a few values: Adam, then L-BFGS
class PhysicsInformedNN:
    def __init__(self, X, u):
        self.x = torch.tensor(X[:, 0:1], requires_grad=True).float().to(device)
        self.t = torch.tensor(X[:, 1:2], requires_grad=True).float().to(device)
        self.u = torch.tensor(u).float().to(device)
        self.lambda_1 = torch.nn.Parameter(torch.tensor([0.0], requires_grad=True).to(device))
        self.lambda_2 = torch.nn.Parameter(torch.tensor([-3.0], requires_grad=True).to(device))
        self.dnn = FCN(2, 1, 16, 2).to(device)
        self.dnn.register_parameter("lambda_1", self.lambda_1)
        self.dnn.register_parameter("lambda_2", self.lambda_2)
        self.optimizer = torch.optim.LBFGS(
            self.dnn.parameters(),
            lr=1.0,
            max_iter=12,
            max_eval=15,
            history_size=50,
            tolerance_grad=1e-5,
            tolerance_change=1.0 * np.finfo(float).eps,
            line_search_fn="strong_wolfe",
        )
        self.optimizer_Adam = torch.optim.Adam(self.dnn.parameters(), lr=1e-2)
        self.iter = 0

    def net_u(self, x, t):
        return self.dnn(torch.cat([x, t], dim=1))

    def net_f(self, x, t):
        lambda_1 = self.lambda_1
        lambda_2 = torch.exp(self.lambda_2)
        u = self.net_u(x, t)
        u_t = torch.autograd.grad(u, t, grad_outputs=torch.ones_like(u), retain_graph=True, create_graph=True)[0]
        u_x = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), retain_graph=True, create_graph=True)[0]
        u_xx = torch.autograd.grad(u_x, x, grad_outputs=torch.ones_like(u_x), retain_graph=True, create_graph=True)[0]
        return u_t + lambda_1 * u * u_x - lambda_2 * u_xx

    def loss_func(self):
        u_pred = self.net_u(self.x, self.t)
        f_pred = self.net_f(self.x, self.t)
        loss = torch.mean((self.u - u_pred) ** 2) + torch.mean(f_pred**2)
        self.optimizer.zero_grad()
        loss.backward()
        self.iter += 1
        if self.iter % 4 == 0:
            print(
                "Loss: %.5f, l1: %.4f, l2: %.4f"
                % (loss.item(), self.lambda_1.item(), torch.exp(self.lambda_2.detach()).item())
            )
        return loss

    def train(self, nIter):
        self.dnn.train()
        for epoch in range(nIter):
            u_pred = self.net_u(self.x, self.t)
            f_pred = self.net_f(self.x, self.t)
            loss = torch.mean((self.u - u_pred) ** 2) + torch.mean(f_pred**2)
            self.optimizer_Adam.zero_grad()
            loss.backward()
            self.optimizer_Adam.step()
            if epoch % 20 == 0:
                print(
                    "It: %d, Loss: %.5f, Lambda_1: %.4f, Lambda_2: %.5f"
                    % (epoch, loss.item(), self.lambda_1.item(), torch.exp(self.lambda_2).item())
                )
        self.optimizer.step(self.loss_func)

    def predict(self, X):
        x = torch.tensor(X[:, 0:1], requires_grad=True).float().to(device)
        t = torch.tensor(X[:, 1:2], requires_grad=True).float().to(device)
        self.dnn.eval()
        u = self.net_u(x, t)
        f = self.net_f(x, t)
        return u.detach().cpu().numpy(), f.detach().cpu().numpy()


X = np.hstack([np.random.uniform(-1, 1, (60, 1)), np.random.uniform(0, 1, (60, 1))])
u = -np.sin(np.pi * X[:, 0:1]) * np.exp(-X[:, 1:2])
model = PhysicsInformedNN(X, u)
model.train(41)
u_pred, f_pred = model.predict(X[:10])
print(u_pred.shape, f"{np.linalg.norm(u[:10] - u_pred, 2) / np.linalg.norm(u[:10], 2):.3f} {np.abs(f_pred).mean():.3f}")
state = model.optimizer.state_dict()["state"][0]
print([name for name, _ in model.dnn.named_parameters()][:3], state["n_iter"], state["func_evals"])
