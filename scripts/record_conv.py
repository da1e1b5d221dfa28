"""Records what PyTorch's convolution, pooling, norm and resizing layers answer, for the tests in tests/nn.

python scripts/record_conv.py        (PyTorch must be installed; writes tests/recorded/conv.json)
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "nn"))

import conv_cases as cases  # noqa: E402
from record_nn import rounded  # noqa: E402


def errors() -> dict[str, str]:
    """The types; the words are in the cases, and PyTorch must say them."""
    found = {}
    for name, call, words in cases.ERRORS:
        found[name], text = cases.error(torch, call)
        assert words in text, f"{name}: PyTorch says {text!r}, not {words!r}"
    return found


def main() -> None:
    warnings.simplefilter("ignore")  # lazy layers announce that they are new
    modules = [cases.build(torch, *case) for case in cases.REPRS]
    recorded: dict[str, Any] = {
        "torch": torch.__version__,
        "reprs": [[repr(module), list(module.state_dict())] for module in modules],
        "initial": {  # not rounded: compared to the bit
            f"{what}, {seed}": cases.initial(torch, *case, seed)
            for seed in cases.SEEDS
            for what, case in cases.INITIAL.items()
        },
        "lazy": {
            f"{what}, {seed}": cases.materialized(torch, *case, seed)
            for seed in cases.SEEDS
            for what, case in cases.LAZY.items()
        },
        "forwards": {what: rounded(cases.forward(torch, *case)) for what, *case in cases.FORWARDS},
        "running": {what: rounded(cases.running(torch, *case)) for what, case in cases.RUNNING.items()},
        "errors": errors(),
    }
    path = ROOT / "tests" / "recorded" / "conv.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
