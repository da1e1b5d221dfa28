"""Write docs/performance.md and docs/performance.svg from figures that run.py --save kept.

    python benchmarks/page.py [benchmarks/results/DATE-CPU.json] [--out docs]

Without a name, the newest file of benchmarks/results.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from engines import ENGINES, HERE, ROOT

PEERS = [name for name in ENGINES if name != "minigrad"]

HEAD = """# Performance

Nine workloads, from a classifier of 337 parameters to GPT-2's 124 million, beside PyTorch, torch.compile and JAX. Each
is one PyTorch program ([benchmarks/workloads](../benchmarks/workloads)) that runs under both engines, with the same
NumPy weights and data, {threads} threads and float32, and with PyTorch's fused optimizers; the JAX versions compute the
same. Every engine runs in a process of its own and they take turns; the first three losses agree to 1e-4.

**Measured on {date} on {cpu}, {cores} cores.** The ratios hold for this processor only: on another one the libraries
under the engines choose other instructions, and the order may change.

{system}; {versions}; OPENBLAS_CORETYPE {openblas_coretype}. {threads} threads of this machine do {peak_gflops:.0f}
GFLOP/s of multiply-adds in registers (measured): the peak that the shares refer to.

![Time of each engine, as a multiple of minigrad's](performance.svg)

## A step

The median step, in brackets the fastest tenth, in milliseconds (decode: a token); the share of the peak; and ratios:
the median time of the other engine divided by minigrad's, so that above 1 minigrad is faster.

"""

MEMORY = """
## Memory

How far the resident size grows in the first steps over the state before them: activations, gradients, the optimizer's
state. MB; engines with a compiler are left out, as most of theirs is the compiler's.

"""

OTHERS = """
## On other processors

PyTorch eager's median time divided by minigrad's, and minigrad's share of the measured peak.

"""

TAIL = """
## What is counted

Only matrix products and convolutions, a multiplication and an addition as two operations, with the gradients that a
step needs ([flops.py](../benchmarks/workloads/flops.py)). For mlp64, batch 64 through 784-500-10:

```python
>>> forward = 2 * 64 * (784 * 500 + 500 * 10)
>>> of_weights = forward                        # the gradient of each weight is a product of the same size
>>> of_hidden = 2 * 64 * 500 * 10               # and so is that of a layer's input; the images' is not wanted
>>> forward + of_weights + of_hidden
102272000

```

"malloc tuned" is the same engine with glibc's allocator told by environment what minigrad tells it at import: keep
freed memory.

Repeat it with `python benchmarks/run.py`, in an environment that has PyTorch and JAX;
[benchmarks/README.md](../benchmarks/README.md) names the other scripts. This page was written by `benchmarks/page.py`
from `{source}`.
"""


def ratio(found: dict[str, Any], name: str) -> float | None:
    """The time of an engine divided by minigrad's."""
    times = [found["engines"].get(engine, {}).get("median_ms") for engine in (name, "minigrad")]
    return times[0] / times[1] if all(times) else None


def shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def step_table(result: dict[str, Any], peers: list[str]) -> list[str]:
    peak = result["machine"]["peak_gflops"]
    lines = [
        "| workload | GFLOP | minigrad, ms | of peak | PyTorch eager, ms |"
        + "".join(f" ratio to {ENGINES[p].title} |" for p in peers),
        "|---|---|---|---|---|" + "---|" * len(peers),
    ]
    for name, found in result["workloads"].items():
        ours, torch = (found["engines"].get(engine, {}) for engine in ("minigrad", "torch"))
        share = found["flops"] / ours["median_ms"] / 1e6 / peak if "median_ms" in ours else None
        times = [
            f"{figure(row['median_ms'])} ({figure(row['p10_ms'])})" if "median_ms" in row else "-"
            for row in (ours, torch)
        ]
        ratios = "".join(f" {shown(ratio(found, p), '.2f')} |" for p in peers)
        gflop = f"{found['flops'] / 1e9:.3g}"
        lines.append(f"| {name} | {gflop} | {times[0]} | {shown(share, '.0%')} | {times[1]} |{ratios}")
    return lines


def memory_table(result: dict[str, Any]) -> list[str]:
    names = [
        name for name in ENGINES if any("growth_mb" in f["engines"].get(name, {}) for f in result["workloads"].values())
    ]
    lines = ["| workload |" + "".join(f" {ENGINES[name].title} |" for name in names), "|---|" + "---|" * len(names)]
    for workload, found in result["workloads"].items():
        cells = "".join(f" {shown(found['engines'].get(name, {}).get('growth_mb'), '.0f')} |" for name in names)
        lines.append(f"| {workload} |{cells}")
    return lines


def others_table(others: list[dict[str, Any]]) -> list[str]:
    """A row for each other machine that run.py --save was called on."""
    names = list(dict.fromkeys(name for other in others for name in other["workloads"]))
    lines = ["| processor, date, peak |" + "".join(f" {name} |" for name in names), "|---|" + "---|" * len(names)]
    for other in others:
        machine, cells = other["machine"], ""
        for name in names:
            found = other["workloads"].get(name, {"engines": {}})
            ours, value = found["engines"].get("minigrad", {}), ratio(found, "torch")
            share = found["flops"] / ours["median_ms"] / 1e6 / machine["peak_gflops"] if "median_ms" in ours else None
            cells += f" {shown(value, '.2f')}, {shown(share, '.0%')} |"
        lines.append(f"| {machine['cpu']}, {machine['date']}, {machine['peak_gflops']:.0f} GFLOP/s |{cells}")
    return lines


def meanings(result: dict[str, Any]) -> list[str]:
    return ["", *(f"- **{name}**: {found['what']}" for name, found in result["workloads"].items())]


def page(result: dict[str, Any], source: str, others: list[dict[str, Any]] | None = None) -> str:
    """The text of docs/performance.md; `others` are figures of other machines."""
    peers = [p for p in PEERS if any(ratio(found, p) for found in result["workloads"].values())]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    head = HEAD.format(**result["machine"], versions=versions)
    lines = [*step_table(result, peers), *meanings(result), MEMORY.rstrip("\n"), "", *memory_table(result)]
    if others:
        lines += [OTHERS.rstrip("\n"), "", *others_table(others)]
    return head + "\n".join(lines) + "\n" + TAIL.format(source=source)


def saved_in(folder: Path) -> list[Path]:
    """The files of run.py --save, the newest last; gpu.py's lie beside them."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("gpu-"))


def beside(source: Path) -> list[dict[str, Any]]:
    """The figures of other processors in the same folder, the newest of each."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in saved_in(source.parent)]
    newest = {found["machine"]["cpu"]: found for found in read if "machine" in found}
    newest.pop(json.loads(source.read_text(encoding="utf-8"))["machine"]["cpu"])
    return list(newest.values())


def picture(result: dict[str, Any], path: Path) -> None:
    """Bars: the time of each peer divided by minigrad's, by workload, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "minigrad", "font.size": 9})
    from matplotlib import pyplot

    peers = [p for p in ("torch", "torch-compile", "jax") if any(ratio(f, p) for f in result["workloads"].values())]
    names = list(result["workloads"])
    figure, axis = pyplot.subplots(figsize=(8, 3))
    width = 0.8 / max(len(peers), 1)
    for number, peer in enumerate(peers):
        values = [ratio(result["workloads"][name], peer) or 1 for name in names]
        places = [i - 0.4 + (number + 0.5) * width for i in range(len(names))]
        axis.bar(places, [v - 1 for v in values], width, bottom=1, label=ENGINES[peer].title)
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_yscale("log")
    ratios = [1.0] + [r for name in names for peer in peers if (r := ratio(result["workloads"][name], peer))]
    ticks = [2.0**power for power in range(-10, 11) if 0.4 * min(ratios) < 2.0**power < 2.5 * max(ratios)]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xticks(range(len(names)), names)
    axis.set_ylabel("time / minigrad's time")
    axis.legend(frameon=False, ncols=len(peers))
    axis.set_title(f"{result['machine']['cpu']}, {result['machine']['date']}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("results", nargs="?", type=Path, help="a file of run.py --save (default: the newest)")
    p.add_argument("--out", type=Path, default=ROOT / "docs", help="the folder to write to (default: docs)")
    args = p.parse_args()
    saved = saved_in(HERE / "results")
    if args.results is None and not saved:
        p.error("benchmarks/results has no figures yet: python benchmarks/run.py --save")
    source = (args.results or saved[-1]).resolve()
    result = json.loads(source.read_text(encoding="utf-8"))
    text = page(result, f"benchmarks/results/{source.name}", beside(source))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "performance.md").write_text(text, encoding="utf-8")
    picture(result, args.out / "performance.svg")
    print(f"wrote {args.out / 'performance.md'} and performance.svg")


if __name__ == "__main__":
    main()
