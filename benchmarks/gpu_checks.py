"""Is what a GPU computes right? Asked of minigrad alone, before anything is timed; gpu.py runs it.

A captured step is compared with itself run eagerly, to the bit; the losses of examples/train_gpt.py with the CPU's.
"""

import argparse
import importlib.metadata
import platform
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from workloads import gpu_training

import minigrad as mg
from minigrad import cuda, graphs
from minigrad.kernels.cuda.product import capturable

ROOT = Path(__file__).resolve().parent.parent


def facts() -> dict[str, Any]:
    """What the figures hold for: the card, its driver, the versions of what computes. RuntimeError without a card."""
    runtime = cuda._cupy().cuda.runtime  # of the backend, which says what is missing
    versions = {}
    for name in ("cupy-cuda13x", "cupy-cuda12x", "numpy", "torch", "nvidia-cudnn-frontend", "nvmath-python"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "card": cuda.get_device_name(),
        "driver": _driver(),
        "cuda of the driver": runtime.driverGetVersion(),
        "cuda": runtime.runtimeGetVersion(),
        "python": platform.python_version(),
        "minigrad": _commit(),
        "versions": versions,
    }


def _said_by(*command: str) -> str | None:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _driver() -> str | None:
    said = _said_by("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return said.splitlines()[0] if said else None


def _commit() -> str | None:
    return _said_by("git", "describe", "--always", "--dirty")


def capture(model: str, precision: str, size: dict[str, Any], steps: int = 12) -> dict[str, Any]:
    """Losses and state of a step run eagerly and captured, from one start: how many bits differ (none should).

    The eager run computes by the products that can be captured, as the captured one does.
    """
    runs: list[tuple[list[float], dict[str, Any]]] = []
    said: list[str] = []
    replays = 0
    for captured in (False, True):
        step, changes, batch = gpu_training.build(model, precision, size)
        state = graphs.StepState(tuple(changes))
        for optimizer in state.optimizers:
            optimizer.make_capturable()  # what is computed where may differ in the last bit
        train = graphs.captured(step, *changes) if captured else step
        mg.manual_seed(1)
        with warnings.catch_warnings(record=True) as caught, capturable():
            warnings.simplefilter("always")
            losses = [train(*batch).item() for _ in range(steps)]
            if captured:
                replays = train.replays  # type: ignore[attr-defined]
                train.look()  # type: ignore[attr-defined]  # for labels out of range, numbers that are not finite
                said = sorted({str(warning.message) for warning in caught})
        runs.append((losses, {name: tensor.array for name, tensor in state.tensors().items()}))
    (eager, before), (again, after) = runs
    different = [f"loss {i + 1}" for i, (a, b) in enumerate(zip(eager, again, strict=True)) if a != b]
    different += [name for name in before if not graphs.same_bits(before[name], after[name])]
    return {"replays": replays, "different": different, **({"warnings": said} if said else {})}


def agreement(dtype: str, steps: int, size: dict[str, int]) -> dict[str, Any]:
    """The losses of train_gpt's model, text, batches and optimizer on the GPU, beside the CPU's: how far they are apart
    at the first step, and at most.
    """
    gpu_training.use_precision("float32")
    losses = {device: _losses(device, dtype, steps, size) for device in ("cpu", gpu_training.DEVICE)}
    apart = [abs(a - b) for a, b in zip(*losses.values(), strict=True)]
    return {"first": apart[0], "most": max(apart), "last loss": losses["cpu"][-1]}


def _losses(device: str, dtype: str, steps: int, size: dict[str, int]) -> list[float]:
    for folder in (ROOT, ROOT / "examples"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    import train_gpt

    text = train_gpt.read_text("python_docs")[0]
    tokenizer = train_gpt.data.CharTokenizer.from_text(text)
    ids = mg.tensor(tokenizer.encode(text[:200_000]), device=device)
    mg.manual_seed(1)  # weights and places in the text are drawn on the host, alike for both
    config = train_gpt.GPTConfig(
        vocab_size=len(tokenizer), block_size=size["block"], n_layer=size["layers"], n_head=size["heads"],
        n_embd=size["channels"], bias=False,
    )  # fmt: skip
    model = train_gpt.GPT(config).to(device=device, dtype=getattr(mg, dtype))
    optimizer = mg.optim.AdamW(model.parameter_groups(0.1), lr=1e-3, betas=(0.9, 0.99))
    asked = argparse.Namespace(block_size=size["block"], batch_size=size["batch"])
    losses = []
    for _ in range(steps):
        x, y = train_gpt.random_batch(ids, asked)
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
