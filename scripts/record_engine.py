"""Records how PyTorch's engine behaves, for the tests of the engine: autograd, in-place, indexing, dtypes, creation ...

    python scripts/record_engine.py [TOPIC ...]    (PyTorch must be installed; writes tests/recorded/engine.json)

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

TOPICS = (
    "autograd", "inplace", "indexing", "dtype", "creation", "tensor", "func", "vmap", "transforms", "linalg", "habits",
    "complex", "statistics", "grad_names", "grad_fn", "saved", "hooks", "sampling", "averages", "names",
)  # fmt: skip


def main() -> None:
    warnings.simplefilter("ignore")
    path = ROOT / "tests" / "recorded" / "engine.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    lines = [f'"recorded_from": {json.dumps(f"PyTorch {torch.__version__}")}']
    for topic in TOPICS:
        asked = len(sys.argv) == 1 or topic in sys.argv[1:]
        told = {} if asked else before.get(topic, {})
        for name, program in collect(importlib.import_module(f"programs.{topic}")).items() if asked else ():
            told[name] = outcome(program, torch)
            if not torch.is_grad_enabled() or torch.get_default_dtype() is not torch.float32:
                raise SystemExit(
                    f"{topic}: {name} left a global switch flipped: the programs after it would record nonsense"
                )
        rows = [f"{json.dumps(name)}: {json.dumps(result)}" for name, result in told.items()]
        lines.append(f'"{topic}": {{\n' + ",\n".join(rows) + "}")
        print(f"{topic}: {len(rows)} programs" + ("" if asked else ", as they were"))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
