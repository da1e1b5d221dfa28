"""Whole training steps: forward, backward, clipping, optimizer; the same model text, weights and data under both engines.

    python benchmarks/steps.py [--rounds 60] [--threads 2]

The model files are minigrad's; for PyTorch their import lines are changed, which is all that it takes. Both begin with the
same weights; their losses after three steps are printed and must agree.
"""

import argparse
import os
import types

import numpy as np
from side_by_side import compare, machine, need_torch

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
    __import__("sys").modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(text, f"models/{name}.py", "exec"), module.__dict__)  # our own file, read above
    return module


def same_weights(source, target, tensor) -> None:
    """Copy parameter by parameter, in the order both engines list them."""
    for p, q in zip(source.parameters(), target.parameters(), strict=True):
        q.data = tensor(p.detach().numpy().copy())


def gpt_step(engine, data, weights_of=None):
    module = under(engine, "gpt")
    config = module.GPTConfig(vocab_size=65, block_size=64, n_layer=4, n_head=4, n_embd=128, bias=False)
    model = module.GPT(config)
    if weights_of is not None:
        same_weights(weights_of, model, engine.tensor)
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

    return model, step


def mlp_step(engine, data, weights_of=None):
    model = under(engine, "mlp").MLP((784, 500, 10))
    if weights_of is not None:
        same_weights(weights_of, model, engine.tensor)
    fused = {"fused": True} if engine.__name__ == "torch" else {}
    optimizer = engine.optim.Adam(model.parameters(), lr=1e-3, **fused)
    x, y = (engine.tensor(d) for d in data)

    def step():
        loss = engine.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=60)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    args = p.parse_args()
    torch = need_torch(args.threads)
    import minigrad as mg

    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 65, (12, 65))
    pixels = rng.random((512, 784), dtype=np.float32)
    labels = rng.integers(0, 10, 512)
    workloads = {
        "MLP 784-500-10, batch 64, Adam": (mlp_step, (pixels[:64], labels[:64])),
        "MLP 784-500-10, batch 512, Adam": (mlp_step, (pixels, labels)),
        "GPT 4 x 128, block 64, batch 12, AdamW": (gpt_step, (tokens[:, :-1].copy(), tokens[:, 1:].copy())),
    }
    print(f"{machine()}, NumPy {np.__version__}, PyTorch {torch.__version__}, {args.threads} threads; medians of {args.rounds}")
    print(f"{'':40}{'minigrad':>12}{'PyTorch':>12}{'ratio':>8}   losses after 3 steps")
    for name, (make, data) in workloads.items():
        model, ours = make(mg, data)
        _, theirs = make(torch, data, weights_of=model)
        losses = [[step() for _ in range(3)][-1] for step in (ours, theirs)]
        mine, other = compare(ours, theirs, args.rounds)
        agree = "agree" if abs(losses[0] - losses[1]) <= 1e-4 * abs(losses[1]) else "DIFFER"
        print(
            f"{name:40}{mine * 1e3:9.2f} ms{other * 1e3:9.2f} ms{other / mine:8.2f}   "
            f"{losses[0]:.6f} {losses[1]:.6f} {agree}"
        )


if __name__ == "__main__":
    main()
