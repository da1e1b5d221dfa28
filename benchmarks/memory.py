"""Peak memory of the four largest workloads, minigrad beside PyTorch.

    python benchmarks/memory.py [WORKLOADS]

For each, in a fresh process: the resident size with the model built, and how far the maximum grows over it in the first
three steps, which hold activations, gradients and the optimizer's state (for decode: what a token needs beside weights
and cache). Libraries that an engine loads at its first step are loaded before; "built" counts them all.
"""

import argparse
import os

import machine
from engines import EngineError, Progress, Worker, installed
from workloads import WORKLOADS

LARGEST = ("decode", "gpt_baby", "bert", "lstm")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)} (default: {' '.join(LARGEST)})")
    p.add_argument("--engines", nargs="+", default=["minigrad", "torch", "torch-malloc"], metavar="ENGINE")
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of each (default: %(default)s)")
    args = p.parse_args()
    if unknown := [name for name in args.workloads if name not in WORKLOADS]:
        p.error(f"unknown workload {unknown[0]!r}: choose from {', '.join(WORKLOADS)}")
    engines, missing = installed(args.engines)
    print(f"{machine.cpu()}; MB{'. ' + missing if missing else ''}")
    print(f"{'':10}{'':28}{'built':>9}{'growth':>9}{'ratio of growths':>18}")
    for name in args.workloads or LARGEST:
        ours = None
        for engine in engines:
            Progress(name)(engine)
            try:
                with Worker(engine, args.threads) as worker:
                    found = worker.ask("prepare", workload=name, size=WORKLOADS[name].size, tiny=WORKLOADS[name].tiny)
            except EngineError as error:
                print(f"{name:10}{engine:28}  {error}")
                continue
            Progress()()
            growth = found["growth_mb"]
            ours = growth if engine == "minigrad" else ours
            ratio = f"{growth / ours:.2f}" if ours else ""
            print(f"{name:10}{worker.title:28}{found['built_mb']:9.0f}{growth:9.1f}{ratio:>18}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted") from None
