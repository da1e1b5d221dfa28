"""Run the programs of tests/programs/pytorch under PyTorch and keep what they print, for tests/test_programs.py.

python scripts/record_programs.py [NAME ...]      # needs PyTorch; all programs without a name
"""

import json
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "programs" / "pytorch"
RECORDED = ROOT / "tests" / "recorded" / "programs.json"


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in PROGRAMS.glob("*.py"))
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {"printed": {}}
    recorded["torch"] = torch.__version__
    for name in names:
        command = [sys.executable, str(PROGRAMS / f"{name}.py")]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        recorded["printed"][name] = run.stdout.splitlines()
    present = {path.stem for path in PROGRAMS.glob("*.py")}
    recorded["printed"] = {name: lines for name, lines in sorted(recorded["printed"].items()) if name in present}
    RECORDED.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
