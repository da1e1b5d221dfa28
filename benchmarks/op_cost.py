"""What one small op costs, forward and backward: on 8 elements nearly all of it is the engine's own Python.

    python benchmarks/op_cost.py

A chain y = y + x of 1,000 additions, then backward through it; the same for other ops. Microseconds per op.
"""

import numpy as np
from side_by_side import compare, machine, need_torch

torch = need_torch(threads=1)
import minigrad as mg  # noqa: E402

LENGTH = 1000

CHAINS = {
    "add": lambda y, x: y + x,
    "mul": lambda y, x: y * x,
    "add a number": lambda y, x: y + 1.0,
    "tanh": lambda y, x: y.tanh(),
    "relu": lambda y, x: y.relu(),
    "reshape": lambda y, x: y.reshape(2, 4) if y.ndim == 1 else y.reshape(8),
    "slice": lambda y, x: y[0:8],
}


def chain(step, x):
    def run():
        y = x
        for _ in range(LENGTH):
            y = step(y, x)
        y.sum().backward()
        x.grad = None

    return run


def forward_only(step, x):
    def run():
        y = x
        for _ in range(LENGTH):
            y = step(y, x)

    return run


def main() -> None:
    values = np.linspace(0.5, 1.5, 8, dtype=np.float32)
    ours, theirs = mg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    print(
        f"{machine()}, NumPy {np.__version__}, PyTorch {torch.__version__} (1 thread); "
        f"microseconds per op on 8 elements"
    )
    print(f"{'op':14}{'forward':>20}{'forward + backward':>26}{'ratio':>8}")
    print(f"{'':14}{'minigrad':>12}{'PyTorch':>8}{'minigrad':>18}{'PyTorch':>8}")
    for name, step in CHAINS.items():
        forward = compare(forward_only(step, ours), forward_only(step, theirs), rounds=30)
        both = compare(chain(step, ours), chain(step, theirs), rounds=30)
        scale = 1e6 / LENGTH
        print(
            f"{name:14}{forward[0] * scale:12.2f}{forward[1] * scale:8.2f}{both[0] * scale:18.2f}{both[1] * scale:8.2f}"
            f"{both[1] / both[0]:8.2f}"
        )


if __name__ == "__main__":
    main()
