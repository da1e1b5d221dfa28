"""How a step's cost grows with the batch and with the number of layers: gpt_char, minigrad beside PyTorch.

    python benchmarks/scaling.py [--plot scaling.png]

Prints the median step at each size and the straight line through them; with --plot the picture too (matplotlib). The
rest at zero is what a step costs whatever its size.
"""

import argparse
import os
from typing import Any

import machine
from engines import ENGINES, Progress, Worker, installed, summary, take_turns
from workloads import WORKLOADS

SERIES = {"batch": (3, 6, 12, 24, 48), "layers": (1, 2, 4, 8, 16)}


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--engines", nargs="+", default=["minigrad", "torch"], choices=ENGINES, metavar="ENGINE")
    p.add_argument("--rounds", type=int, default=5, help="turns of each engine (default: %(default)s)")
    p.add_argument("--seconds", type=float, default=0.3, help="of steps in a turn (default: %(default)s)")
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of each (default: %(default)s)")
    p.add_argument("--cpu-time", action="store_true", help="one thread, and its processor time instead of the clock's")
    p.add_argument("--plot", metavar="FILE", help="write a picture there (.png, .svg, .pdf)")
    args = p.parse_args()
    args.threads = 1 if args.cpu_time else args.threads
    return args


def line_through(xs: list[int], ys: list[float]) -> tuple[float, float]:
    """(slope, value at zero) of the line with the least sum of squared relative errors: the small sizes count too."""
    weights = [1 / y**2 for y in ys]
    total = sum(weights)
    mean_x = sum(w * x for w, x in zip(weights, xs, strict=True)) / total
    mean_y = sum(w * y for w, y in zip(weights, ys, strict=True)) / total
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, x, y in zip(weights, xs, ys, strict=True))
    slope /= sum(w * (x - mean_x) ** 2 for w, x in zip(weights, xs, strict=True))
    return slope, mean_y - slope * mean_x


def measure(args: argparse.Namespace, engines: list[str], what: str) -> dict[str, list[float]]:
    """The median milliseconds by engine, at each size of the series."""
    workload, found = WORKLOADS["gpt_char"], {name: [] for name in engines}
    workers = [Worker(name, args.threads) for name in engines]
    try:
        for value in SERIES[what]:
            size = {**workload.size, what: value}
            say = Progress(f"{what} {value}")
            for worker in workers:
                worker.ask("prepare", workload="gpt_char", size=size, tiny=workload.tiny)
            for name, times in take_turns(workers, args.rounds, args.seconds, args.cpu_time, say).items():
                found[name].append(summary(times)["median_ms"])
            say()
    finally:
        for worker in workers:
            worker.close()
    return found


def plot(path: str, results: dict[str, dict[str, list[float]]], machine_name: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(9, 3.6), sharey=True)
    for axis, (what, found) in zip(axes, results.items(), strict=True):
        xs = SERIES[what]
        for number, (name, ys) in enumerate(found.items()):
            slope, rest = line_through(xs, ys)
            axis.plot(xs, ys, "o", color=f"C{number}", label=ENGINES[name].title)
            axis.plot([0, xs[-1]], [rest, rest + slope * xs[-1]], color=f"C{number}", linewidth=1)
        axis.set(xlabel=what, xlim=(0, None), ylim=(0, None))
    axes[0].set_ylabel("ms a step")
    axes[0].legend(frameon=False)
    figure.suptitle(f"gpt_char, {machine_name}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    args = arguments()
    engines, missing = installed(args.engines)
    facts = machine.facts(args.threads)
    print(machine.headline(facts, {}).splitlines()[0] + ("\n" + missing if missing else ""))
    if args.cpu_time:
        print("times are processor time of one thread, not the clock's")
    results: dict[str, dict[str, list[float]]] = {}
    for what, xs in SERIES.items():
        results[what] = measure(args, engines, what)
        print(f"\n{what:28}" + "".join(f"{x:>10}" for x in xs))
        for name, ys in results[what].items():
            slope, rest = line_through(list(xs), ys)
            worst = max(abs(rest + slope * x - y) / y for x, y in zip(xs, ys, strict=True))
            told: dict[str, Any] = {"slope": f"{slope:.3g} ms each", "rest": f"{rest:.3g} ms", "off": f"{worst:.0%}"}
            print(f"{ENGINES[name].title:28}" + "".join(f"{y:10.2f}" for y in ys) + " ms", flush=True)
            print(f"{'':28}  a line of {told['slope']} and {told['rest']} at zero is at most {told['off']} off")
    if args.plot:
        plot(args.plot, results, facts["cpu"])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted") from None
