"""Records what PyTorch's distributions answer, for tests/distributions.

python scripts/record_distributions.py        (PyTorch must be installed; writes tests/recorded/distributions.json)
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "distributions"), str(ROOT / "scripts")]

import distribution_cases as cases  # noqa: E402


def main() -> None:
    recorded = {
        "torch": torch.__version__,
        "scores": {name: cases.scores(torch, name) for name in cases.MADE},
        "samples": {name: cases.samples(torch, name) for name in cases.MADE},
        "divergences": cases.divergences(torch),
        "errors": cases.errors(torch),
    }
    path = ROOT / "tests" / "recorded" / "distributions.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
