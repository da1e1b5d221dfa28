"""The standard library as text: no copies, no machine, one order; and what train_gpt.py makes of it."""

import ast
import os
from pathlib import Path

import pytest

from minigrad import data

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LONG = "def total(xs):\n    result = 0\n    for x in xs:\n        result += x\n    return result\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_definition_comes_once_and_files_are_kept_apart(tmp_path):
    folder = write(
        tmp_path,
        {"a.py": LONG + "\nx = 1\n", "b.py": f"y = 2\n\n\n\n\n\n{LONG}\nclass C:\n    def __len__(self):\n"
         "        return 1\n"},
    )  # fmt: skip
    text = data.python_source(folder)
    assert text.count("def total") == 1 and "x = 1" in text and "y = 2" in text and "__len__" in text
    assert text.count(data.FILE_BREAK) == 1
    for part in text.split(data.FILE_BREAK):
        ast.parse(part)


def test_what_is_left_out(tmp_path):
    folder = write(
        tmp_path,
        {"a.py": "kept = 1\n", "accents.py": "name = 'é'\n", "broken.py": "def (:\n", "test/b.py": "tested = 1\n",
         "site-packages/c.py": "installed = 1\n", "_sysconfigdata_x.py": "here = '/home'\n"},
    )  # fmt: skip
    assert data.python_source(folder) == "kept = 1\n"
    with pytest.raises(FileNotFoundError, match="no Python source in"):
        data.python_source(tmp_path / "nothing")


def test_a_class_keeps_one_statement(tmp_path):
    body = LONG.replace("\n", "\n    ").rstrip()
    folder = write(tmp_path, {"a.py": LONG, "b.py": f"# longer: it is read last\nclass C:\n    {body}\n"})
    for part in data.python_source(folder).split(data.FILE_BREAK):
        ast.parse(part)


def test_completes_functions(tmp_path, monkeypatch, examples):
    source = data.FILE_BREAK.join(f"a{i} = {i}\n\n\n{LONG.replace('total', f'total{i}')}" for i in range(400))
    monkeypatch.setattr(data, "python_source", lambda: source)
    flags = ["--data", "python", "--steps", "3", "--eval-every", "3", "--layers", "1", "--channels", "8", "--heads",
             "2", "--block-size", "32", "--sample-length", "0", "--functions", "3", "--out", str(tmp_path)]  # fmt: skip
    output = examples.run("train_gpt", *flags)
    assert "completed functions" in output and "100% of the library's own" in output
    assert {"functions.py", "checkpoint.mg", "loss.png"} <= set(os.listdir(tmp_path))


def test_a_function_ends_where_the_margin_begins(examples):
    function_of, parses = examples.module("train_gpt").function_of, examples.module("train_gpt").parses
    assert function_of("def f():\n    return 1\n\nx = 2\n") == "def f():\n    return 1\n"
    assert function_of("def f():\n    return 1\n    retu") == "def f():\n    return 1\n"
    assert parses("def f():\n    return 1\n") and not parses("def f(:\n") and not parses("x = " + "9" * 5000)
