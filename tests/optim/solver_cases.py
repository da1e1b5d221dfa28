"""Problems for LBFGS and Muon, written for any library with PyTorch's names."""

from typing import Any

import numpy as np

LBFGS: dict[str, tuple[str, dict[str, Any]]] = {
    "fixed steps": ("rosenbrock", {"lr": 0.002, "max_iter": 10}),
    "strong Wolfe": ("rosenbrock", {"line_search_fn": "strong_wolfe"}),
    "strong Wolfe, far": ("rosenbrock", {"lr": 1000.0, "line_search_fn": "strong_wolfe", "max_iter": 4}),
    "strong Wolfe, near": ("rosenbrock", {"lr": 1e-4, "line_search_fn": "strong_wolfe", "max_iter": 4}),
    "short memory": ("rosenbrock", {"history_size": 2, "line_search_fn": "strong_wolfe", "max_iter": 6}),
    "few evaluations": ("rosenbrock", {"max_eval": 7, "line_search_fn": "strong_wolfe"}),
    "regression": ("regression", {"lr": 0.8}),
    "regression, Wolfe": ("regression", {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-6}),
    "waves": ("waves", {"line_search_fn": "strong_wolfe", "lr": 3.0, "max_iter": 5}),
}
STEPS = 4
MUON: list[dict[str, Any]] = [
    {"lr": 0.02},
    {"lr": 0.02, "nesterov": False, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.3},
    {"lr": 0.02, "momentum": 0.5, "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5)},
]
MATRICES = ((6, 4), (4, 6), (5, 5), (1, 7))


def numbers(*shape: int, phase: float = 0.0) -> np.ndarray:
    n = np.arange(np.prod(shape, dtype=int)) + 1
    return (2 * ((n * 0.6180339887 + phase) % 1.0) - 1).reshape(shape)


def problem(lib: Any, name: str, dtype: Any) -> tuple[list, Any]:
    """(parameters, the loss as a function without arguments)."""
    make = lambda *shape, phase=0.0: lib.tensor(numbers(*shape, phase=phase), dtype=dtype)  # noqa: E731
    if name == "rosenbrock":
        x = lib.tensor([-1.5, 1.0, 0.5, -0.7], dtype=dtype, requires_grad=True)
        unused = lib.tensor([2.0], dtype=dtype, requires_grad=True)
        return [x, unused], lambda: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    if name == "waves":
        x = lib.tensor([[0.9, 2.0], [-1.2, 0.1]], dtype=dtype, requires_grad=True)
        return [x], lambda: (x.sin() + 0.05 * x * x + (3 * x).cos()).sum()
    inputs, targets = make(12, 3), make(12, phase=0.4)
    weight, bias = make(3, phase=0.2).requires_grad_(), lib.zeros((), dtype=dtype, requires_grad=True)
    return [weight, bias], lambda: ((inputs @ weight + bias - targets) ** 2).mean()


def run_lbfgs(lib: Any, name: str, dtype: Any) -> dict[str, Any]:
    """Losses that `step` returns, the parameters after each, and how often the loss was computed."""
    what, options = LBFGS[name]
    parameters, loss_of = problem(lib, what, dtype)
    optimizer = lib.optim.LBFGS(parameters, **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    found: dict[str, Any] = {"losses": [], "parameters": []}
    for _ in range(STEPS):
        found["losses"].append(optimizer.step(closure).item())
        found["parameters"].append([p.detach().tolist() for p in parameters])
    state = optimizer.state_dict()["state"][0]
    return {**found, "evaluations": [state["func_evals"], state["n_iter"]]}


def run_muon(lib: Any, options: dict[str, Any], dtype: Any) -> list[Any]:
    """The parameters after five steps."""
    parameters = [lib.tensor(numbers(*shape), dtype=dtype, requires_grad=True) for shape in MATRICES]
    optimizer = lib.optim.Muon(parameters, **options)
    for step in range(5):
        for p in parameters:
            p.grad = lib.tensor(numbers(*p.shape, phase=0.3 + 0.1 * step), dtype=dtype)
        optimizer.step()
    return [p.detach().tolist() for p in parameters]
