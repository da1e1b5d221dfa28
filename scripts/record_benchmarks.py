"""Run the workloads of benchmarks/ at their tiny sizes under PyTorch and keep the losses, for tests/test_benchmarks.py.

python scripts/record_benchmarks.py     # needs PyTorch
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from workloads import WORKLOADS, build  # noqa: E402

STEPS = 4


def main() -> None:
    losses = {}
    for name, workload in WORKLOADS.items():
        step = build(name, workload.tiny)
        losses[name] = [step() for _ in range(STEPS)]
    recorded = {"torch": torch.__version__, "losses": losses}
    path = ROOT / "tests" / "recorded" / "benchmarks.json"
    path.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
