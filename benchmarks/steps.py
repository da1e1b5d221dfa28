"""Whole training steps: forward, backward, clipping, optimizer; the same model text, weights and data under both
engines.

    python benchmarks/steps.py [--rounds 5] [--threads 2]

The model files are minigrad's; for PyTorch their import lines are changed, which is all that it takes. Both begin with
the same weights; their losses after three steps are printed and must agree. Each engine runs in processes of its own,
in turn: in one process the idle threads of one would spin on the cores that the other needs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import types

import numpy as np
from side_by_side import machine, need_torch

HERE = os.path.dirname(os.path.abspath(__file__))


def under(engine, name: str) -> types.ModuleType:
    """models/NAME.py with `engine` (minigrad or torch) in place of its imports."""
    with open(os.path.join(HERE, "..", "models", f"{name}.py"), encoding="utf-8") as file:
        text = file.read()
    package = engine.__name__
    for line, other in (
        ("import minigrad as mg", f"import {package} as mg"),
        ("from minigrad import nn", f"from {package} import nn"),
        ("from minigrad.nn import functional", f"from {package}.nn import functional"),
    ):
        text = text.replace(line, other)
    module = types.ModuleType(f"{name}_of_{package}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(text, f"models/{name}.py", "exec"), module.__dict__)  # our own file, read above
    return module


def gpt_step(engine, data):
    module = under(engine, "gpt")
    config = module.GPTConfig(vocab_size=65, block_size=64, n_layer=4, n_head=4, n_embd=128, bias=False)
    model = module.GPT(config)
    fused = {"fused": True} if engine.__name__ == "torch" else {}
    optimizer = engine.optim.AdamW(model.parameter_groups(0.1), lr=1e-3, betas=(0.9, 0.99), **fused)
    x, y = (engine.tensor(d) for d in data)

    def step():
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        engine.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def mlp_step(engine, data):
    model = under(engine, "mlp").MLP((784, 500, 10))
    fused = {"fused": True} if engine.__name__ == "torch" else {}
    optimizer = engine.optim.Adam(model.parameters(), lr=1e-3, **fused)
    x, y = (engine.tensor(d) for d in data)

    def step():
        loss = engine.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


WORKLOADS = {
    "MLP 784-500-10, batch 64, Adam": (mlp_step, 64),
    "MLP 784-500-10, batch 512, Adam": (mlp_step, 512),
    "GPT 4 x 128, block 64, batch 12, AdamW": (gpt_step, 12),
}


def made_up_data(make, batch: int):
    rng = np.random.default_rng(0)
    if make is gpt_step:
        tokens = rng.integers(0, 65, (batch, 65))
        return tokens[:, :-1].copy(), tokens[:, 1:].copy()
    return rng.random((batch, 784), dtype=np.float32), rng.integers(0, 10, batch)


def work(engine_name: str, workload: str, steps: int, threads: int) -> None:
    """In a process of its own: print the loss after three steps and the seconds of each step after that, as JSON.

    Both engines build the model after manual_seed(0), which gives them the same weights.
    """
    if engine_name == "torch":
        engine = need_torch(threads)
    else:
        import minigrad as engine

        engine.set_num_threads(threads)
    engine.manual_seed(0)
    make, batch = WORKLOADS[workload]
    step = make(engine, made_up_data(make, batch))
    loss = [step() for _ in range(3)][-1]
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"loss": loss, "times": times}))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--rounds", type=int, default=5, help="processes of each engine a workload, in turn (default: %(default)s)"
    )
    p.add_argument("--steps", type=int, default=60, help="timed steps a process (default: %(default)s)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of both engines (default: all cores)")
    p.add_argument("--work", nargs=2, metavar=("ENGINE", "WORKLOAD"), help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.work:
        work(*args.work, args.steps, args.threads)
        return
    torch = need_torch(args.threads)
    print(f"{machine()}, NumPy {np.__version__}, PyTorch {torch.__version__}, {args.threads} threads")
    print(f"{'median (fastest tenth)':40}{'minigrad':>20}{'PyTorch':>20}{'ratio':>8}   losses after 3 steps")
    for workload in WORKLOADS:
        results: dict[str, list] = {"minigrad": [], "torch": []}
        for _ in range(args.rounds):
            for engine, runs in results.items():
                command = [sys.executable, __file__, "--work", engine, workload]
                command += ["--steps", str(args.steps), "--threads", str(args.threads)]
                runs.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        times = [np.array([t for run in runs for t in run["times"]]) * 1e3 for runs in results.values()]
        columns = [f"{np.median(t):9.2f} ({np.quantile(t, 0.1):.2f}) ms" for t in times]
        losses = [runs[0]["loss"] for runs in results.values()]
        agree = "agree" if abs(losses[0] - losses[1]) <= 1e-4 * abs(losses[1]) else "DIFFER"
        print(
            f"{workload:40}{columns[0]:>20}{columns[1]:>20}{np.median(times[1]) / np.median(times[0]):8.2f}   "
            f"{losses[0]:.6f} {losses[1]:.6f} {agree}"
        )


if __name__ == "__main__":
    main()
