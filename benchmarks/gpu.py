"""The figures of a GPU, most telling first, each written down as soon as it is known.

python benchmarks/gpu.py --first-hour            checks that the card computes what the CPU does, then rates
python benchmarks/gpu.py --first-hour --resume   only what today's file does not hold yet
python benchmarks/gpu.py --only products mlp

Results go to benchmarks/results/gpu-DATE-CARD.json after every single one, with card, driver, date and versions: an
hour that ends early has not been for nothing. Each has its goal beside it, and whether that was met. Every figure is
made in a process that is started anew after a failure, and has --limit seconds: a kernel that hangs, or too little
memory, costs that figure alone. Where PyTorch is not installed, minigrad is measured alone.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import gpu_plan
from engines import ROOT, EngineError, Worker, installed, thread_settings

MEASURES = gpu_plan.MEASURES
RESULTS = ROOT / "benchmarks" / "results"


class Engines:
    """A worker of each engine, started when it is needed, and anew after a failure: `run(engine, program, options)`."""

    def __init__(self, limit: float, start: Callable[..., Any] = Worker):
        self.limit, self.start = limit, start
        self.workers: dict[str, Any] = {}

    def run(self, engine: str, program: str, options: dict[str, Any]) -> dict[str, Any]:
        """What a program finds, or {"failed": why}."""
        if program == "pytest":
            return pytest(self.limit, **options)
        try:
            if engine not in self.workers:
                self.workers[engine] = self.start(engine, os.cpu_count() or 1, self.limit)
            return self.workers[engine].ask("on_gpu", program=program, options=options)["found"]
        except EngineError as error:
            self.close(engine)  # after a kernel that failed, a card answers nobody of that process
            return {"failed": str(error)}

    def close(self, engine: str) -> None:
        if engine in self.workers:
            self.workers.pop(engine).close()

    def close_all(self) -> None:
        for engine in list(self.workers):
            self.close(engine)


def pytest(limit: float, file: str, device: str = "cuda") -> dict[str, Any]:
    """A file of tests on the card: how many failed, and what pytest says at the end. One that takes too long is asked
    to stop, and tells what it has found so far.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider",
               *(["--device", device] if device != "cpu" else []), file]  # fmt: skip
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, **thread_settings(os.cpu_count() or 1), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        late = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            late = True
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it may have started
            process.wait()
        output.seek(0)
        said = output.read().strip().splitlines()
    tail = {"said": said[-40:]}
    counts = [re.findall(r"(\d+) (failed|passed|error)", line) for line in said[-3:] if " in " in line]
    if late or not counts or process.returncode not in (0, 1):
        return {"failed": f"no end within {limit:g} s" if late else f"ended with code {process.returncode}", **tail}
    counted = {word: int(number) for number, word in counts[-1]}
    failures = counted.get("failed", 0) + counted.get("error", 0)
    return {"failures": failures, "passed": counted.get("passed", 0), **(tail if failures else {})}


def write(path: Path, content: dict[str, Any]) -> None:
    """Put the file there as a whole: a reader, or whoever comes after a crash, finds the old one or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def measure(
    names: list[str], path: Path, facts: dict[str, Any], engines: Any, missing: tuple[str, ...] = (),
    resume: bool = False, say: Callable[[str], None] = lambda text: print(text, flush=True),
) -> dict[str, Any]:  # fmt: skip
    """Run the measures, and write all that is known after each figure. What the file held before stays until it is
    measured again; `resume` leaves out what it holds already, but for what had failed.
    """
    content = {**read(path), **facts}
    results = content.setdefault("results", {})
    for name in names:
        each = MEASURES[name]
        found = results.setdefault(name, {})
        for part, planned in each.parts.items():
            for engine in planned.engines:
                entry = gpu_plan.key(part, engine)
                if engine in missing or (resume and entry in found and "failed" not in found[entry]):
                    continue
                found[entry] = engines.run(engine, planned.program, planned.options)
                found[entry]["at"] = datetime.now().strftime("%H:%M:%S")
                write(path, content)
                say(f"{name}: {entry:40} {spoken(found[entry])}")
        figures = {other: {k: v for k, v in some.items() if k != "goals"} for other, some in results.items()}
        found["goals"] = [goal.judged(figures[name], figures) for goal in each.goals]
        write(path, content)
        for goal in found["goals"]:
            met = {True: "met", False: "MISSED", None: "not known"}[goal["met"]]
            value = "-" if goal["value"] is None else f"{goal['value']:.4g}"
            say(f"    {met:10} {goal['what']}: {value} (goal {goal['goal']})")
    return content


def spoken(found: dict[str, Any]) -> str:
    """A result on one line."""
    shown = {name: value for name, value in found.items() if name not in ("at", "said", "losses")}
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in shown.items())  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(prog="gpu.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--first-hour", action="store_true", help="everything, in order of worth")
    p.add_argument("--only", nargs="+", choices=MEASURES, default=[], metavar="NAME", help=", ".join(MEASURES))
    p.add_argument("--resume", action="store_true", help="leave out what today's file holds")
    p.add_argument("--limit", type=float, default=600, help="seconds for a figure (default: %(default)s)")
    options = p.parse_args()
    names = list(MEASURES) if options.first_hour else options.only
    if not names:
        p.error("nothing to do: give --first-hour or --only")
    if options.limit <= 0:
        p.error(f"--limit is a number of seconds above 0, got {options.limit:g}")
    found, told = installed(gpu_plan.BOTH)
    missing = tuple(engine for engine in gpu_plan.BOTH if engine not in found)
    if told:
        print(f"{told}. minigrad is measured alone.")
    engines = Engines(options.limit)
    try:
        facts = engines.run("minigrad", "facts", {})
        if "failed" in facts:
            sys.exit(facts["failed"])
        facts = {"date": date.today().isoformat(), **facts}
        stem = re.sub(r"[^a-z0-9]+", "-", f"gpu-{facts['date']}-{facts['card']}".lower()).strip("-")
        path = RESULTS / f"{stem}.json"
        print(*(f"{name}: {value}" for name, value in facts.items()), f"results: {path}", sep="\n")
        measure(names, path, facts, engines, missing, options.resume)
    except KeyboardInterrupt:
        sys.exit("stopped; --resume goes on")
    finally:
        engines.close_all()


if __name__ == "__main__":
    main()
