"""Records how PyTorch's engine behaves, for the tests of the engine: autograd, in-place, indexing, dtypes, creation ...

    python scripts/record_engine.py          (PyTorch must be installed; writes tests/recorded/engine.json)

The programs are those of tests/programs. What each returned is kept as values, shapes and dtypes, or the error's type.
"""

import importlib
import json
import sys
import warnings
from pathlib import Path

import torch
import torch.utils.checkpoint

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from programs.common import collect, outcome  # noqa: E402  found through the line above

TOPICS = ("autograd", "inplace", "indexing", "dtype", "creation", "tensor", "func", "linalg")


def main() -> None:
    warnings.simplefilter("ignore")
    lines = [f'"recorded_from": {json.dumps(f"PyTorch {torch.__version__}")}']
    for topic in TOPICS:
        programs = collect(importlib.import_module(f"programs.{topic}"))
        rows = []
        for name, program in programs.items():
            rows.append(f"{json.dumps(name)}: {json.dumps(outcome(program, torch))}")
            if not torch.is_grad_enabled() or torch.get_default_dtype() is not torch.float32:
                raise SystemExit(
                    f"{topic}: {name} left a global switch flipped: the programs after it would record nonsense"
                )
        lines.append(f'"{topic}": {{\n' + ",\n".join(rows) + "}")
        print(f"{topic}: {len(rows)} programs")
    path = ROOT / "tests" / "recorded" / "engine.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
