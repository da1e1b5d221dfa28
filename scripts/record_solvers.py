"""Records steps of PyTorch's LBFGS and Muon, for tests/optim/test_solvers.py.

python scripts/record_solvers.py        (PyTorch must be installed; writes tests/recorded/solvers.json)
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "optim"))

import solver_cases as cases  # noqa: E402


def main() -> None:
    recorded = {
        "torch": torch.__version__,
        "lbfgs": {name: cases.run_lbfgs(torch, name, torch.float64) for name in cases.LBFGS},
        "muon": [cases.run_muon(torch, options, torch.float32) for options in cases.MUON],
    }
    path = ROOT / "tests" / "recorded" / "solvers.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
