"""Whether `import minigrad` makes other NumPy code slower: it should not.

    python benchmarks/neutral.py [--rounds 7]

Fresh processes in turn: NumPy alone, after `import minigrad`, and after a training step too. Each times the same NumPy
calls; printed are medians over the processes, and the ratio to NumPy alone (above 1: slower).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import machine
from engines import ROOT, Progress

BEFORE = {
    "NumPy alone": "",
    "import minigrad": "import minigrad",
    "after a step": """
import minigrad as mg
x, target = mg.randn(64, 784), mg.randint(10, (64,))
model = mg.nn.Sequential(mg.nn.Linear(784, 500), mg.nn.GELU(), mg.nn.Linear(500, 10))
optimizer = mg.optim.Adam(model.parameters())
mg.nn.functional.cross_entropy(model(x), target).backward()
optimizer.step()
""",
}

TIMED = """
import json, statistics, time
import numpy as np

rng = np.random.default_rng(0)
small, large = (rng.random((n, n), dtype=np.float32) for n in (512, 2048))
million = rng.random(1_000_000, dtype=np.float32)
part = rng.random(100_000, dtype=np.float32)

def tape():
    kept = [part]
    for _ in range(20):
        kept.append(kept[-1] * 0.5)
    return kept

CASES = {
    "np.matmul 512": (lambda: small @ small, 0.3),
    "np.matmul 2048": (lambda: large @ large, 0.6),
    "np.exp of a million": (lambda: np.exp(million), 0.2),
    "20 temporaries of 0.4 MB": (tape, 0.2),
}
medians = {}
for name, (run, seconds) in CASES.items():
    run(), run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    medians[name] = statistics.median(times)
print(json.dumps(medians))
"""


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=7, help="processes of each kind (default: %(default)s)")
    args = p.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in BEFORE}
    say = Progress("neutral")
    for turn in range(args.rounds):
        for kind, before in BEFORE.items():
            say(f"round {turn + 1} of {args.rounds}: {kind}")
            command = [sys.executable, "-c", before + TIMED]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found[kind].append(json.loads(done.stdout))
    say()
    print(machine.headline(machine.facts(os.cpu_count() or 1), {}).splitlines()[0])
    print(f"{'':26}" + "".join(f"{kind:>24}" for kind in BEFORE))
    for case in found["NumPy alone"][0]:
        medians = [statistics.median(run[case] for run in runs) * 1e3 for runs in found.values()]
        cells = [f"{m:.3f} ms ({m / medians[0]:.2f})" for m in medians]
        print(f"{case:26}" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted") from None
