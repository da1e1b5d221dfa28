"""Single ops beside PyTorch, at the shapes of the workloads: forward, and forward with backward.

    python benchmarks/ops.py                       all of them (3 minutes)
    python benchmarks/ops.py attention "8 numbers" those whose name has one of these in it
    python benchmarks/ops.py --list

Each engine runs in a process of its own, and they take turns. Printed are medians in microseconds, and PyTorch's time
divided by minigrad's. Outputs and gradients are compared first. The ops on 8 numbers are timed in chains of 200: what
they cost is the engine's own work.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

import machine
from engines import EngineError, Progress, Worker, installed, summary, take_turns

AGREE_TO = 1e-3  # means over up to 26 million entries, of sums in another order


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", help="parts of names (default: all ops)")
    p.add_argument("--rounds", type=int, default=5, help="turns of each engine (default: %(default)s)")
    p.add_argument("--seconds", type=float, default=0.1, help="of calls in a turn (default: %(default)s)")
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of each (default: %(default)s)")
    p.add_argument("--cpu-time", action="store_true", help="one thread, and its processor time instead of the clock's")
    p.add_argument("--list", action="store_true", help="print the names and end")
    args = p.parse_args()
    args.threads = 1 if args.cpu_time else args.threads
    return args


def differs(checks: list[list[float]]) -> bool:
    """Whether the numbers of some engine differ from the first one's."""
    return any(
        len(check) != len(checks[0])
        or any(abs(a - b) > AGREE_TO * max(abs(b), 1e-3) for a, b in zip(check, checks[0], strict=True))
        for check in checks
    )


def measure(
    name: str, backward: bool, ops: int, workers: list[Worker], args: Any, say: Callable[[str], None]
) -> tuple[dict[str, float], bool]:
    """The median microseconds by engine, and whether they computed different things."""
    able, checks = [], []
    for worker in workers:
        try:
            checks.append(worker.ask("piece", name=name, backward=backward)["check"])
            able.append(worker)
        except EngineError as error:
            print(f"{name}: {worker.title}: {error}")
    times = take_turns(able, args.rounds, args.seconds, args.cpu_time, say)
    return {engine: summary(taken)["median_ms"] * 1e3 / ops for engine, taken in times.items()}, differs(checks)


def columns(found: dict[str, float]) -> str:
    """minigrad, PyTorch, ratio."""
    ours, theirs = found.get("minigrad"), found.get("torch")
    cells = ["-" if x is None else f"{x:.2f}" if x < 100 else f"{x:.0f}" for x in (ours, theirs)]
    ratio = f"{theirs / ours:.2f}" if ours and theirs else ""
    return f"{cells[0]:>11}{cells[1]:>11}{ratio:>8}"


def main() -> None:
    args, say = arguments(), Progress("ops")
    names, missing = installed(["minigrad", "torch"])
    workers, versions = [], dict[str, str]()
    try:
        for name in names:
            workers.append(Worker(name, args.threads))
            versions.update(workers[-1].versions)
        pieces = workers[0].ask("pieces")
        chosen = [name for name in pieces if not args.names or any(part in name for part in args.names)]
        if args.list or not chosen:
            print("\n".join(pieces if args.list else [f"no op has {args.names} in its name; --list shows them"]))
            return
        print(machine.headline(machine.facts(args.threads), versions))
        if missing:
            print(missing)
        of = " of processor time, one thread" if args.cpu_time else ""
        print(f"microseconds{of}, medians; ratio: PyTorch's time / minigrad's")
        print(f"{'':32}{'forward':>22}{'':8}{'forward + backward':>22}")
        print(f"{'':32}{'minigrad':>11}{'PyTorch':>11}{'ratio':>8}{'minigrad':>11}{'PyTorch':>11}{'ratio':>8}")
        for name in chosen:
            backward, ops = pieces[name]
            forward, wrong = measure(name, False, ops, workers, args, say)
            both = measure(name, True, ops, workers, args, say)[0] if backward else None
            say()
            line = f"{name:32}{columns(forward)}{columns(both) if both else ''}"
            print(line.rstrip() + ("  RESULTS DIFFER" if wrong else ""), flush=True)
    finally:
        for worker in workers:
            worker.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted") from None
