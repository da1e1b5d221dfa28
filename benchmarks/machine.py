"""The machine that the figures hold for: its name, its settings, and the most it can compute.

python benchmarks/machine.py [--threads N]
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from datetime import date
from typing import Any


def cpu() -> str:
    """The processor's name; on x86 with its family and model, as "AMD EPYC" alone is many processors."""
    try:
        with open("/proc/cpuinfo") as file:
            text = file.read()
    except OSError:
        return platform.processor() or platform.machine()
    found = dict(re.findall(r"^(model name|cpu family|model|flags)\s*:\s*(.+)$", text, re.MULTILINE))
    if "model name" not in found:
        return platform.machine()
    vectors = "AVX-512" if "avx512f" in found.get("flags", "") else "AVX2" if "avx2" in found.get("flags", "") else ""
    details = [f"family {found.get('cpu family')} model {found.get('model')}", *filter(None, [vectors])]
    return f"{found['model name'].strip()} ({', '.join(details)})"


def facts(threads: int) -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    return {
        "date": date.today().isoformat(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", "not set"),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def slug(machine: dict[str, Any]) -> str:
    """DATE-CPU, for the name of a file."""
    return machine["date"] + "-" + re.sub(r"[^a-z0-9]+", "-", machine["cpu"].lower()).strip("-")


def headline(machine: dict[str, Any], versions: dict[str, str]) -> str:
    """The two lines above a table."""
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {threads}; {machine['system']}; {machine['date']}",
        f"{named}; OPENBLAS_CORETYPE {machine['openblas_coretype']}",
    ]
    if machine["load"] is not None and machine["load"] > 0.5:
        lines.append(f"The machine was busy when this began (load {machine['load']}): expect noise.")
    return "\n".join(lines)


def peak_gflops(threads: int) -> float:
    """The most multiply-adds that so many threads do (each counts as two operations), measured in a fresh process."""
    command = [sys.executable, os.path.abspath(__file__), "--threads", str(threads), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["peak_gflops"]


CHAINS = 12  # independent sums: enough to hide a multiply-add's latency, few enough for the registers of AVX2


def multiply_adds() -> tuple[Any, int]:
    """(a compiled function f(n), floats in a vector): n rounds of CHAINS vector multiply-adds in registers."""
    import numba
    from llvmlite import ir
    from llvmlite.binding import get_host_cpu_features
    from numba import types
    from numba.extending import intrinsic

    width = 16 if get_host_cpu_features().get("avx512f") else 8
    vector, integer = ir.VectorType(ir.FloatType(), width), ir.IntType(64)

    def constant(number: float) -> ir.Constant:
        return ir.Constant(vector, [number] * width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = f"llvm.fmuladd.v{width}f32"
        multiply_add = builder.module.declare_intrinsic(name, fnty=ir.FunctionType(vector, [vector] * 3))
        before, loop, after = builder.block, *(builder.append_basic_block(text) for text in ("loop", "after"))
        builder.branch(loop)
        builder.position_at_end(loop)
        count, sums = builder.phi(integer), [builder.phi(vector) for _ in range(CHAINS)]
        results = [builder.call(multiply_add, [s, constant(0.999), constant(0.001)]) for s in sums]
        following = builder.add(count, ir.Constant(integer, 1))
        builder.cbranch(builder.icmp_signed("<", following, arguments[0]), loop, after)
        count.add_incoming(ir.Constant(integer, 0), before)
        count.add_incoming(following, loop)
        for i, (total, result) in enumerate(zip(sums, results, strict=True)):
            total.add_incoming(constant(i + 1.0), before)
            total.add_incoming(result, loop)
        builder.position_at_end(after)
        total = results[0]
        for result in results[1:]:
            total = builder.fadd(total, result)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    @intrinsic
    def chains(typing_context, count):
        return types.float32(types.int64), generate

    @numba.njit("float32(int64)", nogil=True)
    def run(count):
        return chains(count)

    return run, width


def measure_peak(threads: int, tries: int = 200, seconds: float = 0.005) -> float:
    """GFLOP/s of the fastest of many short tries, all threads at once: other programs spoil some, seldom all."""
    run, width = multiply_adds()
    rounds = 100_000
    start = time.perf_counter()
    run(rounds)
    rounds = max(rounds, int(rounds * seconds / (time.perf_counter() - start)))
    best = 0.0
    for _ in range(tries):
        workers = [threading.Thread(target=run, args=(rounds,)) for _ in range(threads)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = max(best, 2 * rounds * CHAINS * width * threads / (time.perf_counter() - start) / 1e9)
    return best


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="(default: all cores)")
    p.add_argument("--json", action="store_true", help="print JSON")
    args = p.parse_args()
    found = {**facts(args.threads), "peak_gflops": round(measure_peak(args.threads), 1)}
    if args.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
