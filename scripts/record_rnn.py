"""Records what PyTorch's recurrent layers answer, for tests/nn/test_rnn.py.

python scripts/record_rnn.py        (PyTorch must be installed; writes tests/recorded/rnn.json)
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "nn"), str(ROOT / "scripts")]

import rnn_cases as cases  # noqa: E402
from record_nn import rounded  # noqa: E402


def main() -> None:
    found = {}
    for make, names in ((cases.layer, cases.LAYERS), (cases.cell, cases.CELLS)):
        for what in names:
            module, given, call = make(torch, what)
            found[what] = cases.answers(module, call(*given), given)
    recorded = {
        "torch": torch.__version__,
        "answers": rounded(found),
        "in training": rounded(cases.in_training(torch)),
        "initial": cases.initial(torch),  # not rounded: compared to the bit
        "packing": cases.packing(torch),
        "errors": cases.errors(torch),
    }
    path = ROOT / "tests" / "recorded" / "rnn.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
