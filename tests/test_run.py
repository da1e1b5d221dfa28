"""`python -m minigrad.run`: a program sees what it would see under `python`, with minigrad behind `import torch`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*args: str, cwd: Path, runner: tuple[str, ...] = ("-m", "minigrad.run")) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *runner, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, env=env)


def test_a_program_runs_as_under_python(tmp_path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "helper.py").write_text("import torch\nx = torch.arange(3)\n")
    (tmp_path / "code" / "program.py").write_text(
        "'''Its docstring.'''\n"
        "import sys, helper, os\n"
        "print(__name__, __file__ == os.path.abspath(sys.argv[0]), __doc__, __package__, __spec__, sys.argv)\n"
        "print(sys.path[0] == os.path.dirname(__file__), sys.modules['__main__'].__dict__ is globals())\n"
        "class Point: pass\n"
        "print(Point.__module__, sys.flags.interactive)\n"
    )
    ours = run("code/program.py", "--lr", "0.1", cwd=tmp_path)
    program = (tmp_path / "code" / "helper.py").write_text("x = 1\n") and "code/program.py"
    plain = run(program, "--lr", "0.1", cwd=tmp_path, runner=())
    assert ours.returncode == plain.returncode == 0, ours.stderr
    assert ours.stdout == plain.stdout
    assert "'--lr', '0.1'" in ours.stdout


@pytest.mark.parametrize(
    "source",
    [
        "def inner():\n    return 1 / 0\ninner()\n",
        "import sys\nsys.exit('stopped')\n",
        "import sys\nprint('half'); sys.exit(7)\n",
        "raise KeyboardInterrupt\n",
        "x = (1,\n",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e\n",
    ],
    ids=["traceback", "exit text", "exit code", "interrupt", "syntax error", "chained"],
)
def test_a_program_ends_as_under_python(tmp_path, source) -> None:
    (tmp_path / "program.py").write_text(source)
    ours, plain = run("program.py", cwd=tmp_path), run("program.py", cwd=tmp_path, runner=())
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert ours.stderr.replace(str(tmp_path) + "/", "") == plain.stderr.replace(str(tmp_path) + "/", "")
    if "KeyboardInterrupt" in source and os.name == "posix":
        assert ours.returncode == -signal.SIGINT


def test_types_print_as_pytorchs(tmp_path) -> None:
    (tmp_path / "program.py").write_text(
        "import copy, pickle, torch\n"
        "from torch import *\n"
        "x = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))\n"
        "for thing in (x.data, x, x.shape, x.dtype, x.device): print(type(thing))\n"
        "again = [f(x) for f in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)))]\n"
        "print([type(y) is torch.nn.Parameter for y in again], Tensor is torch.Tensor)\n"
        "torch.save({'x': x, 'y': x.data}, 'file.pt')\n"
        "print({name: type(y).__name__ for name, y in torch.load('file.pt').items()})\n"
    )
    ours = run("program.py", cwd=tmp_path)
    assert ours.stderr == ""
    assert ours.stdout.splitlines() == [
        "<class 'torch.Tensor'>", "<class 'torch.nn.parameter.Parameter'>", "<class 'torch.Size'>",
        "<class 'torch.dtype'>", "<class 'torch.device'>", "[True, True, True] True",
        "{'x': 'Parameter', 'y': 'Tensor'}",
    ]  # fmt: skip


def test_a_missing_name_ends_with_one_clear_line(tmp_path) -> None:
    (tmp_path / "program.py").write_text("from torch import sparse_nonsense\n")
    out = run("program.py", cwd=tmp_path)
    assert out.returncode == 1
    assert out.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: minigrad has no `torch.sparse_nonsense`: dir(torch) lists the names it has there, and "
        "README.md what works"
    )


def test_a_missing_method_is_told_too(tmp_path) -> None:
    (tmp_path / "program.py").write_text("import torch\ntorch.ones(2).nonsense()\n")
    lines = run("program.py", cwd=tmp_path).stderr.splitlines()
    told = lines[-2].partition(". Did you mean")[0]  # which Python adds where a name is like it
    assert told == "AttributeError: 'Tensor' object has no attribute 'nonsense'"
    assert (
        lines[-1]
        == "minigrad has no `Tensor.nonsense`: dir(Tensor) lists the names it has there, and README.md what works"
    )


def test_modules_folders_and_wrong_calls(tmp_path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import sys, torch\nprint(__name__, torch.ones(2).sum().item(), sys.argv[1:])\n"
    )
    (package / "bad.py").write_text("1 / 0\n")
    assert run("-m", "package", "a", cwd=tmp_path).stdout == "__main__ 2.0 ['a']\n"
    assert run("package", "a", cwd=tmp_path).stdout == "__main__ 2.0 ['a']\n"
    bad = run("-m", "package.bad", cwd=tmp_path)
    assert bad.returncode == 1 and bad.stderr.count("File") == 1

    nothing = run("no-such-file.py", cwd=tmp_path)
    assert nothing.returncode == 2 and "can't open file" in nothing.stderr and "no-such-file.py" in nothing.stderr
    assert run(cwd=tmp_path).returncode == 2
    assert "usage: python -m minigrad.run SCRIPT" in run("--help", cwd=tmp_path).stdout
    wrong = run("--fast", "program.py", cwd=tmp_path)
    assert wrong.returncode == 1 and "unknown option --fast" in wrong.stderr
