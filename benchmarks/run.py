"""Training steps and decoding beside PyTorch, torch.compile and JAX: the same programs, weights, data and threads.

    python benchmarks/run.py                        all workloads, all engines that are installed (15 minutes)
    python benchmarks/run.py gpt_char mlp64         these alone
    python benchmarks/run.py --engines minigrad torch --rounds 3
    python benchmarks/run.py --save                 keep the figures in benchmarks/results/DATE-CPU.json

Each engine runs in a process of its own, and they take turns, a fraction of a second of steps at a time. A step is
forward, backward, clipping where the workload has it, the optimizer, and reading the loss; for decode, one token. The
first three losses must agree to 1e-4 of their size (where weights are rounded, to what workloads/ says). Printed per
engine: the median step and the fastest tenth, GFLOP/s by formula (workloads/flops.py), their share of the measured
multiply-add peak, how far memory grew over the state before the first step (engines without a compiler), and the ratio
to minigrad: that engine's time / minigrad's.
Ctrl-C prints what is finished. On a machine that is busy with other programs `--cpu-time` still tells something: it
lets each engine use one thread and takes its processor time.
"""

import argparse
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import machine
from engines import ENGINES, HERE, EngineError, Progress, Worker, installed, summary, take_turns
from workloads import WORKLOADS
from workloads.flops import FLOPS

TINY_SECONDS = 0.01


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)} (default: all)")
    p.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES, metavar="ENGINE",
                   help=f"of {', '.join(ENGINES)} (default: all)")  # fmt: skip
    p.add_argument("--rounds", type=int, default=10, help="turns of each engine (default: %(default)s)")
    p.add_argument("--seconds", type=float, default=0.5, help="of steps in a turn (default: %(default)s)")
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of each (default: %(default)s)")
    p.add_argument("--cpu-time", action="store_true", help="one thread, and its processor time instead of the clock's")
    p.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    p.add_argument("--save", action="store_true", help="write them to benchmarks/results/DATE-CPU.json")
    p.add_argument("--tiny", action="store_true", help="tiny sizes: tries the programs, measures nothing of use")
    args = p.parse_args()
    if unknown := [name for name in args.workloads if name not in WORKLOADS]:
        p.error(f"unknown workload {unknown[0]!r}: choose from {', '.join(WORKLOADS)}")
    if args.save and (args.tiny or args.cpu_time):
        p.error("--tiny and --cpu-time measure nothing worth saving")
    for name in ("rounds", "threads"):
        if getattr(args, name) < 1:
            p.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    args.threads = 1 if args.cpu_time else args.threads
    args.workloads = args.workloads or list(WORKLOADS)
    args.seconds = TINY_SECONDS if args.tiny else args.seconds
    return args


def measure(name: str, args: argparse.Namespace, versions: dict[str, str]) -> dict[str, Any]:
    """All engines on one workload; an engine that cannot run it is an entry with "error"."""
    workload, say = WORKLOADS[name], Progress(name)
    size = workload.tiny if args.tiny else workload.size
    engines: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        workers = []
        for engine in args.engines:
            say(f"{ENGINES[engine].title}: starting, first steps")
            try:
                worker = stack.enter_context(Worker(engine, args.threads))
                versions.update(worker.versions)
                engines[engine] = worker.ask("prepare", workload=name, size=size, tiny=workload.tiny)
                workers.append(worker)
            except EngineError as error:
                engines[engine] = {"error": str(error)}

        def fail(engine: str, error: EngineError) -> None:
            engines[engine] = {"error": str(error)}

        times = take_turns(workers, args.rounds, args.seconds, args.cpu_time, say, fail)
    say()
    for engine, taken in times.items():
        engines[engine].update({key: round(value, 6) for key, value in summary(taken).items()})
        if ENGINES[engine].compiled or ENGINES[engine].library == "jax":
            del engines[engine]["growth_mb"]  # the compiler's, mostly
    return {"what": workload.what, "size": size, "flops": FLOPS[workload.module](size), "engines": engines}


def disagreement(found: dict[str, Any]) -> float:
    """The largest relative difference of any loss from that of the first engine that ran."""
    runs = [engine["losses"] for engine in found["engines"].values() if "losses" in engine]
    return max((abs(a - b) / max(abs(b), 1e-30) for run in runs for a, b in zip(run, runs[0], strict=True)), default=0)


def table(name: str, found: dict[str, Any], peak: float) -> str:
    """The lines of one workload."""
    difference, ours = disagreement(found), found["engines"].get("minigrad", {}).get("median_ms")
    agree = f"agree to {difference:.0e}" if difference <= WORKLOADS[name].agree_to else f"DIFFER by {difference:.0e}"
    if sum("losses" in engine for engine in found["engines"].values()) < 2:
        agree = "nothing to compare with"
    losses = next((engine["losses"] for engine in found["engines"].values() if "losses" in engine), [])
    lines = [
        f"\n{name}: {found['what']}",
        f"  {found['flops'] / 1e9:.3g} GFLOP a step; first losses {', '.join(f'{x:.5f}' for x in losses)}: {agree}",
        f"  {'':28}{'median':>10}{'fastest 10%':>13}{'GFLOP/s':>10}{'of peak':>9}{'memory':>10}{'ratio':>8}",
    ]
    for engine, row in found["engines"].items():
        title = f"  {ENGINES[engine].title:28}"
        if "error" in row:
            lines.append(f"{title}  {row['error'][:120]}")
            continue
        speed = found["flops"] / row["median_ms"] / 1e6
        memory = f"{row['growth_mb']:+.0f} MB" if "growth_mb" in row else ""
        ratio = f"{row['median_ms'] / ours:.2f}" if ours else ""
        times = f"{row['median_ms']:7.4g} ms{row['p10_ms']:10.4g} ms"
        lines.append(f"{title}{times}{speed:10.3g}{speed / peak:9.1%}{memory:>10}{ratio:>8}")
    return "\n".join(lines)


def save(result: dict[str, Any]) -> Path:
    """Write the figures; workloads that the file of the same day and processor has already are replaced."""
    path = HERE / "results" / f"{machine.slug(result['machine'])}.json"
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        found = {**json.loads(path.read_text(encoding="utf-8"))["workloads"], **result["workloads"]}
        result["workloads"] = {name: found[name] for name in WORKLOADS if name in found}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def measure_all(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Fill in the result, workload by workload, and print each table when it is there."""
    facts, versions = result["machine"], result["versions"]
    for name in args.workloads:
        result["workloads"][name] = measure(name, args, versions)
        if args.json:
            continue
        if name == args.workloads[0]:
            print(machine.headline(facts, versions))
            print(f"multiply-add peak, measured: {facts['peak_gflops']:.0f} GFLOP/s; ratio: time / minigrad's time")
            if args.cpu_time:
                print("times are processor time of one thread, not the clock's")
        print(table(name, result["workloads"][name], facts["peak_gflops"]), flush=True)


def main() -> int:
    args = arguments()
    args.engines, missing = installed(args.engines)
    if missing:
        print(missing, file=sys.stderr)
    facts = machine.facts(args.threads)
    result: dict[str, Any] = {"machine": facts, "versions": {}, "rounds": args.rounds, "workloads": {}}
    interrupted = False
    try:
        facts["peak_gflops"] = round(machine.peak_gflops(args.threads), 1)
        measure_all(args, result)
    except KeyboardInterrupt:
        interrupted = True
        print(f"\ninterrupted; finished: {', '.join(result['workloads']) or 'nothing'}", file=sys.stderr)
    if args.json:
        print(json.dumps(result, indent=1))
    if args.save and result["workloads"]:
        print(f"saved to {os.path.relpath(save(result))}", file=sys.stderr)
    differ = [name for name, found in result["workloads"].items() if disagreement(found) > WORKLOADS[name].agree_to]
    if differ:
        print(f"the losses of {', '.join(differ)} differ: the times are of different computations", file=sys.stderr)
    return 130 if interrupted else 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
