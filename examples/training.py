"""What the training scripts share: a clean stop on Ctrl-C, checkpoints, the progress bar, the picture of the losses.

The loops themselves are in the scripts, each readable from top to bottom.
"""

import math
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import minigrad as mg


def need(module: str) -> Any:
    """Import a package of the `examples` extra, or say how to get it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        sys.exit(f"this script needs {module.partition('.')[0]}: pip install 'minigrad[examples]'")


def or_exit(attempt: Callable[[], Any], flag: str) -> Any:
    """What `attempt` returns; where it fails for a reason outside the program, end with that reason alone."""
    try:
        return attempt()
    except (RuntimeError, OSError, ValueError, ImportError) as error:
        sys.exit(f"{flag}: {error}")


def chosen_device(name: str | None) -> mg.device:
    """--device, or the default device; checked before anything is read or built."""

    def find() -> mg.device:
        device = mg.device(name) if name else mg.get_default_device()
        mg.empty(0, device=device)
        return device

    return or_exit(find, "--device")


def use_threads(count: int | None) -> None:
    """--threads for matrix products, None for all. The threads of one product wait for each other, so where another
    program wants a core too, fewer are faster.
    """
    if count is not None:
        or_exit(lambda: mg.set_num_threads(count), "--threads")


class Interrupt:
    """`with Interrupt() as stop: ... if stop: break`: the first Ctrl-C asks the loop to stop, the second insists."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "Interrupt":
        self.former = signal.signal(signal.SIGINT, self.ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.former)

    def ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __bool__(self) -> bool:
        return self.asked


def progress(total: int, done: int, unit: str, description: str) -> Any:
    """A tqdm bar with speed and time left; on a terminal it redraws, in a log file it writes a line now and then."""
    tqdm = need("tqdm").tqdm
    on_terminal = sys.stderr.isatty()
    return tqdm(
        total=total, initial=done, unit=unit, desc=description, dynamic_ncols=on_terminal,
        mininterval=0.1 if on_terminal else 10.0, ascii=not on_terminal,
    )  # fmt: skip


def say(bar: Any, text: str) -> None:
    """Print a line without tearing the bar."""
    if sys.stderr.isatty():
        bar.write(text, file=sys.stdout)
    else:
        print(text, flush=True)


def save_checkpoint(path: str, model: mg.nn.Module, optimizer: mg.optim.Optimizer, **state: Any) -> None:
    """Everything a run needs to go on as if it had not stopped: weights, optimizer state, random state, `state`.

    The file is written beside the old one and then takes its place: a crash while writing leaves the old one whole.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    whole = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": mg.get_rng_state(), **state}
    mg.save(whole, path)


def load_checkpoint(path: str) -> dict:
    """Read a checkpoint, or end with a sentence."""
    if not os.path.exists(path):
        sys.exit(
            f"--resume: there is no checkpoint at {path}; run without --resume first, or give the folder with --out"
        )
    try:
        return mg.load(path)
    except RuntimeError as error:
        sys.exit(f"--resume: {error}")


def restore(checkpoint: dict, model: mg.nn.Module, optimizer: mg.optim.Optimizer) -> None:
    """Put weights, optimizer and random state back as `save_checkpoint` found them."""
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    mg.set_rng_state(checkpoint["random"])


def refuse_changes(settings: dict, saved: dict, names: list[str]) -> None:
    """A resumed run keeps the settings that decide its numbers; end with a sentence where a flag says otherwise."""
    for name in names:
        if settings[name] != saved[name]:
            flag = "--" + name.replace("_", "-")
            sys.exit(
                f"--resume: the checkpoint was made with {flag} {saved[name]}, now {flag} {settings[name]} is given"
            )


def stop_on_bad_loss(loss: float, step: int, path: str) -> None:
    """End the run at a loss that is no number: going on would overwrite the last good checkpoint with nonsense."""
    if math.isfinite(loss):
        return
    kept = f"the last good checkpoint stays in {path}" if os.path.exists(path) else "no checkpoint had been written yet"
    sys.exit(
        f"the loss became {loss} at step {step}; training stopped and {kept}. Lower --lr, or run the step under "
        f"minigrad.autograd.detect_anomaly() to see which op did it first."
    )


def plot_losses(
    path: str, title: str, unit: str, train: list[float], validation: list[tuple[int, float]], **levels: float
) -> None:
    """Draw the curves: each step's loss in grey, its running mean, the validation points, and horizontal `levels`."""
    matplotlib = need("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    steps = range(1, len(train) + 1)
    axes.plot(steps, train, color="0.8", linewidth=0.8, label="training, each step")
    axes.plot(steps, running_mean(train), color="tab:blue", label="training, running mean")
    if validation:
        axes.plot(*zip(*validation, strict=True), "o-", color="tab:orange", markersize=4, label="validation")
    for i, (name, level) in enumerate(levels.items()):
        axes.axhline(level, color="0.4", linestyle=("--", ":")[i % 2], linewidth=1, label=f"{name} {level:.3f}")
    axes.set(title=title, xlabel="step", ylabel=unit)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def running_mean(values: list[float], keep: float = 0.95) -> list[float]:
    """The exponential mean m <- keep m + (1 - keep) v, divided by 1 - keep^t so that it does not start from zero."""
    mean, smooth = 0.0, []
    for t, value in enumerate(values, 1):
        mean = keep * mean + (1 - keep) * value
        smooth.append(mean / (1 - keep**t))
    return smooth
