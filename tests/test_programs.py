"""PyTorch programs, unchanged, under `python -m minigrad.run`: they print what they print under PyTorch.

The programs are in programs/pytorch; what PyTorch printed was recorded by scripts/record_programs.py. Text between the
numbers must be equal, integers too; a number with decimals may differ by one in its last place, or by 1e-5 of itself:
float32 sums are added in another order.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted((ROOT / "tests" / "programs" / "pytorch").glob("*.py"))
RECORDED = json.loads((ROOT / "tests" / "recorded" / "programs.json").read_text(encoding="utf-8"))
NUMBER = re.compile(r"(-?\d+\.\d*(?:e[+-]?\d+)?)")


def difference(printed: str, expected: str) -> str | None:
    """What is wrong with a line that was printed; None where it is as it should be."""
    ours, theirs = NUMBER.split(printed), NUMBER.split(expected)
    # Columns of tensors are padded to the widest number, and -0.0 is wider than 0.0.
    words = [[re.sub(r"\s+", " ", part) for part in parts[::2]] for parts in (ours, theirs)]
    if words[0] != words[1]:
        return f"printed {printed!r}, PyTorch {expected!r}"
    for a, b in zip(ours[1::2], theirs[1::2], strict=True):
        mantissa, _, exponent = b.partition("e")
        last_place = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        if abs(float(a) - float(b)) > 1.001 * last_place + 1e-5 * abs(float(b)):
            return f"printed {a} in {printed!r}, PyTorch {b}"
    return None


def test_every_program_was_recorded() -> None:
    assert RECORDED["torch"].startswith("2.13")
    assert [path.stem for path in PROGRAMS] == sorted(RECORDED["printed"]) and len(PROGRAMS) >= 45


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_prints_what_it_prints_under_pytorch(path, tmp_path) -> None:
    # One thread each: tests run side by side, and kernels that wait for cores in use took twice the processor time.
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "minigrad.run", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=env)
    assert run.returncode == 0, run.stderr
    printed, expected = run.stdout.splitlines(), RECORDED["printed"][path.stem]
    wrong = [bad for a, b in zip(printed, expected, strict=False) if (bad := difference(a, b))]
    assert not wrong, "\n".join(wrong)
    assert len(printed) == len(expected)


def test_the_comparison_notices_what_it_should() -> None:
    assert difference("loss 1.2345 at 3", "loss 1.2346 at 3") is None
    assert difference("tensor([-0.0000,  1.0000])", "tensor([0.0000, 1.0000])") is None
    assert difference("61303.453", "61303.457") is None
    assert difference("loss 1.2345", "loss 1.2347") == "printed 1.2345 in 'loss 1.2345', PyTorch 1.2347"
    for printed, expected in [
        ("step 3", "step 4"),
        ("loss 1.0", "lost 1.0"),
        ("1.0 2.0", "1.0"),
        ("2.0e-05", "2.5e-05"),
    ]:
        assert difference(printed, expected)
