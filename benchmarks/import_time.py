"""How long `import minigrad` takes, and the first use of the compiled kernels with a warm cache; fresh processes,
medians.

python benchmarks/import_time.py [--rounds 9]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
USE = """
import time
start = time.perf_counter()
import minigrad as mg
imported = time.perf_counter()
x = mg.randn(8, 16, requires_grad=True)
layer = mg.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
optimizer = mg.optim.AdamW(layer.parameters())
loss = mg.nn.functional.cross_entropy(layer(x.unsqueeze(0))[0], mg.zeros(8, dtype=mg.int64))
loss.backward()
optimizer.step()
print(imported - start, time.perf_counter() - imported)
"""


def fresh(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=9, help="processes of each kind (default: %(default)s)")
    rounds = p.parse_args().rounds
    start = time.perf_counter()
    fresh(USE)
    print(f"first process (compiles what the cache lacks): {time.perf_counter() - start:.1f} s")
    runs = [tuple(map(float, fresh(USE).split())) for _ in range(rounds)]
    imports, uses = zip(*runs, strict=True)
    numpy = [
        float(fresh("import time; s = time.perf_counter(); import numpy; print(time.perf_counter() - s)"))
        for _ in range(rounds)
    ]
    print(
        f"import minigrad        {statistics.median(imports):.3f} s (of which numpy {statistics.median(numpy):.3f} s)"
    )
    print(f"first use, warm cache  {statistics.median(uses):.3f} s (a Transformer layer, a loss, an optimizer step)")


if __name__ == "__main__":
    main()
