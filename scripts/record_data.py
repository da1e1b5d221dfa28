"""Record what PyTorch's data loading answers, for tests/data: orders, next random numbers, batch types, errors.

    python scripts/record_data.py          writes tests/recorded/data.json

Needs PyTorch (CPU); the tests that read the file do not. The cases are those of tests/data/loader_cases.py.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.utils.data

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "data"))

import loader_cases as cases  # noqa: E402  found through the line above


def error_of(call: Any) -> str:
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "no error"


def main() -> None:
    warnings.simplefilter("ignore")
    lib = cases.Library(torch, torch.utils.data)
    collate, convert = torch.utils.data.default_collate, torch.utils.data.default_convert
    recorded = {
        "torch": torch.__version__,
        "loaders": [
            {"name": name, "n": n, "seed": seed, "own_generator": own} | cases.run_loader(lib, name, n, seed, own)
            for name in cases.LOADERS
            for seed, n, own in zip(cases.SEEDS, (10, 10, 12, 37), (False, True, True, False), strict=True)
        ],
        "collate": {name: cases.describe(collate(batch)) for name, batch in cases.collate_cases(lib).items()},
        "convert": {name: cases.describe(convert(batch)) for name, batch in cases.collate_cases(lib).items()},
        "collate errors": {
            name: error_of(lambda batch=batch: collate(batch)) for name, batch in cases.bad_collate_cases(lib).items()
        },
        "errors": {name: error_of(call) for name, call in cases.bad_calls(lib).items()},
    }
    path = ROOT / "tests" / "recorded" / "data.json"
    lines = [f"{json.dumps(key)}: {one_a_line(value)}" for key, value in recorded.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(recorded['loaders'])} loader runs, PyTorch {torch.__version__}")


def one_a_line(value: Any) -> str:
    """JSON with one entry a line, so that a change of the file reads well."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()) + "\n}"
    return json.dumps(value)


if __name__ == "__main__":
    main()
