"""The figures of a GPU, most telling first, each written down as soon as it is known.

python benchmarks/gpu.py --first-hour     correctness of the op table and the kernels, then rates
python benchmarks/gpu.py --only copy layer_norm

Results go to benchmarks/results/gpu-DATE-CARD.json after every single one, with card, driver and date: an hour that
ends early has not been for nothing. Bandwidths are bytes that must be read and written, over the time, beside a copy's.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import cuda
from minigrad.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
ROWS, WIDTH = 65536, 1024  # 256 MB of float32: far more than any cache holds
TESTS = ["tests/test_on_card.py", "tests/kernels/test_gpu_kernels.py", "tests/kernels/test_gpu_table.py"]


def timed(call: Callable[[], Any], rounds: int = 20) -> float:
    """Seconds of one call, the median of `rounds`, each waited for; the first two compile and are left out."""
    seconds = []
    for _ in range(rounds + 2):
        cuda.synchronize()
        start = time.perf_counter()
        call()
        cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[2:])[rounds // 2]


def bandwidth(call: Callable[[], Any], passes: float, rows: int, width: int) -> dict[str, float]:
    """`passes`: how many times the array's bytes have to be moved at least."""
    seconds = timed(call)
    return {"ms": 1e3 * seconds, "GB/s": passes * 4 * rows * width / seconds / 1e9}


def copy(rows: int, width: int) -> dict[str, float]:
    x = mg.rand(rows, width, device="cuda")
    return bandwidth(lambda: x.clone(), 2, rows, width)


def softmax(rows: int, width: int) -> dict[str, float]:
    x = mg.randn(rows, width, device="cuda")
    return bandwidth(lambda: x.softmax(-1), 2, rows, width)


def layer_norm(rows: int, width: int) -> dict[str, float]:
    x = mg.randn(rows, width, device="cuda")
    weight, bias = (mg.rand(width, device="cuda") for _ in range(2))
    return bandwidth(lambda: F.layer_norm(x, (width,), weight, bias), 2, rows, width)


def cross_entropy(rows: int, width: int) -> dict[str, float]:
    x, labels = mg.randn(rows, width, device="cuda"), mg.randint(0, width, (rows,), device="cuda")
    return bandwidth(lambda: F.cross_entropy(x, labels), 1, rows, width)


def adamw(rows: int, width: int) -> dict[str, float]:
    parameter = mg.nn.Parameter(mg.rand(rows, width, device="cuda"))
    parameter.grad = mg.rand(rows, width, device="cuda")
    optimizer = mg.optim.AdamW([parameter])
    return bandwidth(optimizer.step, 7, rows, width)  # p, m and v are read and written, the gradient read


def random_numbers(rows: int, width: int) -> dict[str, float]:
    return bandwidth(lambda: mg.rand(rows, width, device="cuda"), 1, rows, width)


def product(rows: int, width: int) -> dict[str, float]:
    """Teraflops of square products, the larger of rows' root and width a side."""
    n = max(int(rows**0.5), width) * 4
    found = {}
    for dtype in (mg.float32, mg.float16, mg.bfloat16):
        a, b = (mg.rand(n, n, device="cuda").to(dtype) for _ in range(2))
        found[f"{dtype} TF/s"] = 2 * n**3 / timed(lambda a=a, b=b: a @ b, 5) / 1e12  # type: ignore[misc]
    return found


def attention(rows: int, width: int) -> dict[str, float]:
    """GPT-2's: 12 heads of 64; forward and backward of a causal layer, in teraflops that a causal mask leaves."""
    length = min(width, rows)
    q, k, v = (mg.randn(8, 12, length, 64, device="cuda", requires_grad=True) for _ in range(3))

    def step() -> None:
        F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()

    seconds = timed(step, 5)
    return {"ms": 1e3 * seconds, "TF/s": 7 * 2 * 8 * 12 * length**2 * 64 / 2 / seconds / 1e12}


def tests(rows: int, width: int) -> dict[str, Any]:
    """The op table and the kernels, compared with the host; what pytest says at the end."""
    command = [sys.executable, "-m", "pytest", "-q", "--device", "cuda", *TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return {"passed": done.returncode == 0, "said": done.stdout.strip().splitlines()[-30:]}


MEASURES = {f.__name__: f for f in (
    tests, copy, product, attention, layer_norm, softmax, cross_entropy, adamw, random_numbers,
)}  # fmt: skip


def card() -> dict[str, Any]:
    """What the figures hold for."""
    runtime = cuda._cupy().cuda.runtime
    return {"date": date.today().isoformat(), "card": cuda.get_device_name(), "driver": runtime.driverGetVersion()}


def measure(names: list[str], path: Path, facts: dict[str, Any], rows: int = ROWS, width: int = WIDTH) -> None:
    """Run each measure and write all that is known after each. One that fails is written down as such."""
    results = {**facts, "results": {}}
    for name in names:
        try:
            found = MEASURES[name](rows, width)
        except Exception as error:  # the others are still worth having
            found = {"failed": f"{type(error).__name__}: {error}"}
        results["results"][name] = found
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"{name:16} {found}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="gpu.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--first-hour", action="store_true", help="everything, in order of worth")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=[], help="these alone")
    options = parser.parse_args()
    names = list(MEASURES) if options.first_hour else options.only
    if not names:
        parser.error("nothing to do: give --first-hour or --only")
    if not cuda.is_available():
        mg.backend.backend_for("cuda")  # raises with what is missing
    facts = card()
    stem = f"gpu-{facts['date']}-{facts['card']}".lower().replace(" ", "-")
    measure(names, ROOT / "benchmarks" / "results" / f"{stem}.json", facts)


if __name__ == "__main__":
    main()
