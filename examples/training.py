"""What the training scripts share: flags, a clean stop on Ctrl-C, checkpoints, the progress bar, the picture of losses.

The loops themselves are in the scripts, each readable from top to bottom; `Run` is what such a loop iterates over.
"""

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import minigrad as mg

EXTRAS = {"optuna": "search", "tensorboardX": "tensorboard", "uvicorn": "api"}  # of packages that are not in `examples`
NOT_SAVED = (
    "out",
    "resume",
    "device",
    "print_losses",
    "threads",
    "tensorboard",
    "capture",
)  # what decides no number of a run


def need(module: str) -> Any:
    """Import a package of an extra, or say how to get it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        package, extra = module.partition(".")[0], EXTRAS.get(module, "examples")
        sys.exit(f"this script needs {package}: pip install 'minigrad[{extra}]'")


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
    path: str, title: str, unit: str, train: list[float], validation: list[tuple[int, float]],
    points: str = "validation", **levels: float,
) -> None:  # fmt: skip
    """Draw the curves: each step's loss in grey, its running mean, the validation points (or whatever `points` says
    they are), and horizontal `levels`.
    """
    matplotlib = need("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    steps = range(1, len(train) + 1)
    axes.plot(steps, train, color="0.8", linewidth=0.8, label="training, each step")
    axes.plot(steps, running_mean(train), color="tab:blue", label="training, running mean")
    if validation:
        axes.plot(*zip(*validation, strict=True), "o-", color="tab:orange", markersize=4, label=points)
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


def add_common_flags(parser: argparse.ArgumentParser, out: str, seed: int = 1337) -> None:
    """The flags that every training script has."""
    parser.add_argument("--out", default=out, help="folder for checkpoint and pictures (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=seed, help="of weights and batches (default: %(default)s)")
    parser.add_argument("--device", default=None, help="cpu or cuda (default: $MINIGRAD_DEVICE, else cpu)")
    parser.add_argument("--threads", type=int, help="of the kernels; 1 where other programs are running (default: all)")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in --out")
    parser.add_argument("--print-losses", action="store_true", help="print every loss in full, to compare runs")
    parser.add_argument("--tensorboard", metavar="DIR", help="write curves, histograms and samples for TensorBoard")


def add_capture_flag(parser: argparse.ArgumentParser) -> None:
    """For scripts whose step is a function of its batch (minigrad.graphs)."""
    parser.add_argument("--capture", action="store_true", help="on a GPU: replay the step as a CUDA graph")


RATES = ("lr", "head_lr", "weight_decay", "temperature")


def check_positive(parser: argparse.ArgumentParser, args: argparse.Namespace, *names: str) -> None:
    """End with a sentence where a flag that must be at least 1 is not, or one of RATES is no number from 0 on."""
    for name in names:
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {getattr(args, name)}")
    for name in RATES:
        value = getattr(args, name, None)
        if value is not None and not 0 <= value < math.inf:
            parser.error(f"--{name.replace('_', '-')} must be 0 or a positive number, got {value}")


def warm_up_and_decay(step: int, steps: int, peak: float, warmup: int, final: float = 0.1) -> float:
    """The learning rate at a step: linear warm-up to `peak`, then half a cosine down to `final` of it."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))


def batch_at(step: int, count: int, batch_size: int, seed: int) -> Any:
    """Which of `count` samples are in the batch of a step, as an int64 array: each epoch goes once through all of
    them (the last, smaller batch left out) in an order of its own. It depends on its arguments alone, so a resumed
    run goes on with the batch that was next.
    """
    import numpy as np

    per_epoch = max(count // batch_size, 1)
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return order[place * batch_size : (place + 1) * batch_size]


class Board:
    """TensorBoard files through tensorboardX; without a folder, nothing."""

    def __init__(self, folder: str | None) -> None:
        self.writer = need("tensorboardX").SummaryWriter(folder) if folder else None

    def scalars(self, step: int, **values: float) -> None:
        for name, value in values.items():
            if self.writer is not None:
                self.writer.add_scalar(name, value, step)

    def histograms(self, step: int, model: mg.nn.Module) -> None:
        for name, p in model.named_parameters() if self.writer is not None else ():
            self.writer.add_histogram(name, p.detach().cpu().numpy(), step)

    def text(self, step: int, name: str, text: str) -> None:
        if self.writer is not None:
            self.writer.add_text(name, text, step)

    def picture(self, step: int, name: str, pixels: mg.Tensor) -> None:
        """A picture (3, H, W) in [0, 1]."""
        if self.writer is not None:
            self.writer.add_image(name, pixels.cpu().numpy(), step)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class Run:
    """The steps of one training run, from where the last one stopped to the end:

        run = training.Run(args, args.steps, model, optimizer, tokenizer=tokenizer.to_dict())
        for step in run:                              # a progress bar; Ctrl-C ends it after this step, saved
            ...
            run.record(step, loss.item(), lr=..., accuracy=...)
            if run.due(step, args.eval_every):        # every so many steps, and at the end
                run.validated(step, validation_loss, accuracy=...)
        # here the run is complete, and saved; where it was stopped, the program has ended with code 130

    `losses` are those of each step, `validations` pairs (steps done, value). Further keywords are kept in the
    checkpoint, in `checkpoint.mg` of --out, beside the settings; a resumed run finds them in `run.kept`. `free`
    names settings that a resumed run may change.
    """

    def __init__(
        self, args: argparse.Namespace, total: int, model: mg.nn.Module, optimizer: mg.optim.Optimizer,
        *, unit: str = "step", free: tuple[str, ...] = (), **kept: Any,
    ) -> None:  # fmt: skip
        self.path = os.path.join(args.out, "checkpoint.mg")
        self.settings = {k: v for k, v in vars(args).items() if k not in NOT_SAVED}
        self.total, self.model, self.optimizer, self.unit, self.kept = total, model, optimizer, unit, kept
        self.print_losses, self.losses, self.validations = args.print_losses, [], []
        self.board, self.bar, self.stop = Board(args.tensorboard), None, Interrupt()
        self.saved_at, self.seconds = -1, 0.0
        if args.resume:
            checkpoint = load_checkpoint(self.path)
            refuse_changes(self.settings, checkpoint["settings"], [k for k in self.settings if k not in free])
            restore(checkpoint, model, optimizer)
            self.losses, self.validations, self.kept = (checkpoint[k] for k in ("losses", "validations", "kept"))
            self.seconds, self.total = checkpoint["seconds"], self.kept.get("total", total)
            print(f"resumed from {self.path} after {unit} {len(self.losses)}")

    def __iter__(self) -> Iterator[int]:
        with self.stop, progress(self.total, len(self.losses), self.unit, "training") as self.bar:
            started = time.perf_counter() - self.seconds
            for step in range(len(self.losses), self.total):
                yield step
                self.seconds = time.perf_counter() - started
                self.bar.update()
                if len(self.losses) == self.total or self.stop:
                    break
        if self.saved_at != len(self.losses):
            self.save()
        self.board.close()
        if len(self.losses) < self.total:
            print(f"\nstopped after {self.unit} {len(self.losses)}; saved to {self.path}. To go on, run the same")
            print("command with --resume")
            sys.exit(130)
        print(f"trained for {self.seconds:.0f} s")

    def record(self, step: int, loss: float, **others: float) -> None:
        """Keep the loss of a step; ends the run where it is no number."""
        stop_on_bad_loss(loss, step + 1, self.path)
        self.losses.append(loss)
        if self.print_losses:
            say(self.bar, f"loss {step + 1} {loss!r}")
        shown = "".join(f", {name} {value:.3g}" for name, value in others.items())
        self.bar.set_postfix_str(f"loss {running_mean(self.losses[-60:])[-1]:.3f}{shown}", refresh=False)
        self.board.scalars(step + 1, loss=loss, **others)

    def finish(self) -> None:
        """End the run after this step, as complete: for early stopping. A resumed run ends at the same place."""
        self.total = self.kept["total"] = len(self.losses)

    def due(self, step: int, every: int) -> bool:
        return (step + 1) % every == 0 or step + 1 == self.total

    def validated(self, step: int, value: float, **others: float) -> None:
        """Keep a figure on held-out data, say it, and save."""
        self.validations.append((step + 1, value))
        shown = "".join(f", {name.replace('_', ' ')} {v:.4f}" for name, v in others.items())
        say(self.bar, f"{self.unit} {step + 1:5d}: validation loss {value:.4f}{shown}")
        self.board.scalars(step + 1, validation_loss=value, **others)
        self.board.histograms(step + 1, self.model)
        self.save()

    def save(self) -> None:
        save_checkpoint(
            self.path, self.model, self.optimizer, settings=self.settings, losses=self.losses,
            validations=self.validations, kept=self.kept, seconds=self.seconds,
        )  # fmt: skip
        self.saved_at = len(self.losses)
