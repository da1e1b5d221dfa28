"""Records what PyTorch's EmbeddingBag and CTCLoss answer, for tests/nn/test_sequence.py.

python scripts/record_sequence.py        (PyTorch must be installed; writes tests/recorded/sequence.json)
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "nn"), str(ROOT / "scripts")]

import sequence_cases as cases  # noqa: E402
from record_nn import rounded  # noqa: E402


def main() -> None:
    recorded = {
        "torch": torch.__version__,
        "bags": rounded(cases.bags(torch)),
        "ctc": rounded(cases.ctc(torch)),
        "initial": cases.initial(torch),  # not rounded: compared to the bit
        "errors": cases.errors(torch),
    }
    path = ROOT / "tests" / "recorded" / "sequence.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
