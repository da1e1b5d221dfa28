"""Where a step of a workload spends its time under minigrad: op by op, optimizer, and the engine itself.

    python benchmarks/breakdown.py gpt_char mlp64 [--steps 50] [--top 12] [--cpu-time]

Every op's forward function and vjp rule is timed (with the ops that it calls), as are the sums over broadcast axes and
the accumulation of gradients, which the walk does itself. What remains of the forward and of the
backward pass is the engine: making nodes, walking them, the layers' Python. The timers cost about half a microsecond a
call, which "engine" includes. On a machine that is busy with other programs, `--cpu-time` takes the processor time of
one thread instead of the clock's.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import machine
from workloads import WORKLOADS, build

import minigrad
from minigrad import autograd, nn, op, optim


class Clock:
    """Seconds and calls by name; a timed call inside another counts for the inner one alone, or for the outer one
    alone where that is `whole`.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.own: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.inside = [0.0]
        self.in_whole = False

    def timed(self, name: str, function: Callable, whole: bool = False) -> Callable:
        def run(*args: Any, **kwargs: Any) -> Any:
            if self.in_whole:
                return function(*args, **kwargs)
            self.inside.append(0.0)
            self.in_whole = whole
            start = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                taken = self.now() - start
                self.in_whole = False
                self.own[name] += taken - self.inside.pop()
                self.inside[-1] += taken
                self.calls[name] += 1

        return run


def put_timers(clock: Clock) -> None:
    """Around every op and the parts of a step; for the rest of the process."""
    for name, each in op.REGISTRY.items():
        each.forward = clock.timed(name, each.forward, whole=True)
        if each.rule is not None:
            each.rule = clock.timed(f"{name}_vjp", each.rule, whole=True)
        if each.into is not None:
            each.into = clock.timed(f"{name}_vjp", each.into, whole=True)
    autograd.sum_to = clock.timed("sum_to (engine)", autograd.sum_to)
    autograd._add_to = clock.timed("add gradients (engine)", autograd._add_to)
    autograd.accumulate = clock.timed("accumulate (engine)", autograd.accumulate)
    minigrad.Tensor.backward = clock.timed("BACKWARD", minigrad.Tensor.backward)
    nn.utils.clip_grad_norm_ = clock.timed("CLIP", nn.utils.clip_grad_norm_)
    for kind in (optim.SGD, optim.Adam):
        kind.step = clock.timed("OPTIMIZER", kind.step)
        kind.zero_grad = clock.timed("ZERO_GRAD", kind.zero_grad)


def report(name: str, clock: Clock, steps: int, step_ms: float, plain_ms: float, top: int) -> None:
    def ms(keys: Any) -> float:
        return sum(clock.own[key] for key in keys) / steps * 1e3

    parts = {"BACKWARD", "CLIP", "OPTIMIZER", "ZERO_GRAD", "STEP"}
    backward = {key for key in clock.own if key.endswith(("_vjp", "(engine)"))}
    forward = set(clock.own) - backward - parts
    lines = {
        "ops, forward": ms(forward),
        "ops, backward": ms(backward),
        "clipping": ms({"CLIP"}),
        "optimizer": ms({"OPTIMIZER", "ZERO_GRAD"}),
        "engine and layers, forward": ms({"STEP"}),
        "engine, backward": ms({"BACKWARD"}),
    }
    print(f"\n{name}: {step_ms:.3f} ms a step with timers, {plain_ms:.3f} without")
    for title, value in lines.items():
        print(f"  {title:32}{value:9.3f} ms {value / step_ms:6.1%}")
    for key in sorted(forward | backward, key=lambda key: -clock.own[key])[:top]:
        value = ms({key})
        print(f"    {key:30}{value:9.3f} ms {value / step_ms:6.1%}{clock.calls[key] / steps:7.1f} calls")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workloads", nargs="+", choices=WORKLOADS, metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}")
    p.add_argument("--steps", type=int, default=50, help="timed steps (default: %(default)s)")
    p.add_argument("--top", type=int, default=12, help="ops to list (default: %(default)s)")
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="(default: %(default)s)")
    p.add_argument("--cpu-time", action="store_true", help="one thread, and its processor time instead of the clock's")
    args = p.parse_args()
    now, threads = (time.thread_time, 1) if args.cpu_time else (time.perf_counter, args.threads)
    minigrad.alias()
    minigrad.set_num_threads(threads)
    print(machine.headline(machine.facts(threads), {}).splitlines()[0])
    steps = {name: build(name, WORKLOADS[name].size) for name in args.workloads}
    plain = {name: median_ms(step, args.steps, now) for name, step in steps.items()}
    clock = Clock(now)
    put_timers(clock)
    for name, step in steps.items():
        timed = clock.timed("STEP", step)
        for _ in range(2):
            timed()
        clock.own.clear(), clock.calls.clear()
        start = now()
        for _ in range(args.steps):
            timed()
        step_ms = (now() - start) / args.steps * 1e3
        report(name, clock, args.steps, step_ms, plain[name], args.top)


def median_ms(step: Callable[[], float], count: int, now: Callable[[], float]) -> float:
    times = []
    for _ in range(count + 2):
        start = now()
        step()
        times.append(now() - start)
    return sorted(times[2:])[count // 2] * 1e3


if __name__ == "__main__":
    main()
