"""The pages say what the code does: examples print what stands under them, quotations are the code, links lead on.

On a page under docs/, a block of Python is either a doctest (`>>>`) or a quotation from a file of the repository,
marked `<!-- from PATH -->` above it. In the README a block is a doctest, or a program with its output: in the fence
that follows it (with only empty lines between), or in the comments behind its lines that print:

    print(1 + 1)  # 2
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, *sorted(ROOT.glob("*.md"))]
README = ROOT / "README.md"


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the last line of prose above it ("" right after another block)."""

    language: str
    text: str
    above: str


def blocks(page: str) -> list[Block]:
    found, above, language, inside = [], "", None, []
    for line in page.splitlines():
        if line.startswith("```"):
            if language is None:
                language, inside = line.removeprefix("```").strip(), []
            else:
                found.append(Block(language, "\n".join(inside) + "\n", above))
                language, above = None, ""
        elif language is not None:
            inside.append(line)
        elif line.strip():
            above = line.strip()
    assert language is None, "a fence is not closed"
    return found


def programs(page: str) -> Iterator[tuple[str, str]]:
    """(program, output) for the blocks of Python that carry their output and are no doctests."""
    found = blocks(page)
    for block, after in zip(found, [*found[1:], Block("", "", "the end")], strict=True):
        if block.language != "python" or block.text.startswith(">>>"):
            continue
        if after.language in ("", "text", "output") and not after.above:
            yield block.text, after.text
        elif printed := re.findall(r"^\s*print\(.*\)  # (.+)$", block.text, flags=re.MULTILINE):
            yield block.text, "\n".join(printed) + "\n"


def run_doctests(page: str, name: str) -> tuple[int, str]:
    """How many examples there are, and the report of those that fail."""
    unfenced = re.sub(r"^```.*$", "", page, flags=re.MULTILINE)  # or a closing fence would count as output
    test = doctest.DocTestParser().get_doctest(unfenced, {"__name__": "__main__"}, name, name, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.REPORT_NDIFF)
    runner.run(test, out=report.append)
    return len(test.examples), "".join(report)


@pytest.fixture
def own_settings(tmp_path, monkeypatch):
    """Any working directory will do, and what a page sets for its session is set back after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIGRAD_DEVICE", raising=False)  # the pages hand their tensors to NumPy
    dtype, options = mg.get_default_dtype(), mg.get_printoptions()
    with np.printoptions():
        yield
    mg.set_default_dtype(dtype)
    mg.set_printoptions(**options)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_examples_print_what_the_page_says(page, own_settings):
    examples, report = run_doctests(page.read_text(encoding="utf-8"), named(page))
    assert not report, report
    assert examples or page not in DOCS, f"{named(page)} has no example"


@pytest.mark.parametrize("page", DOCS, ids=named)
def test_code_is_run_or_quoted(page):
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language != "python" or block.text.startswith(">>>"):
            continue
        source = re.fullmatch(r"<!-- from (\S+) -->", block.above)
        assert source, f"{named(page)}: this block is neither a doctest nor marked as quoted:\n{block.text}"
        assert block.text in (ROOT / source[1]).read_text(encoding="utf-8"), (
            f"{named(page)} quotes {source[1]} with lines that are not there (any more):\n{block.text}"
        )


def test_readme_programs_print_what_the_readme_says(tmp_path):
    """Each in a process of its own, as a reader would run it."""
    found = list(programs(README.read_text(encoding="utf-8")))
    assert found, "the README shows no program with its output"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for program, output in found:
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{program}\n{done.stderr}"
        assert done.stdout == output, f"{program}\nprints\n{done.stdout}\nand the README says\n{output}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue  # another site: not a matter for a test
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{named(page)} links to {target}, which does not exist"
        if line := re.fullmatch(r"L(\d+)", anchor):
            assert int(line[1]) <= len(linked.read_text(encoding="utf-8").splitlines()), f"{target} is past the end"
        elif anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{named(page)}: no heading for {target}"


def anchors(page: str) -> set[str]:
    """The names GitHub gives the headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pages_that_lie_are_found_out():
    """The checks above, on pages that are wrong."""
    wrong = "```python\n>>> 1 + 1\n3\n```\n"
    assert "+ 2" in run_doctests(wrong, "wrong")[1]  # the lines that differ: expected "- 3", got "+ 2"
    warning = "```python\n>>> import warnings\n>>> warnings.warn('old')\n```\n"
    assert "UserWarning: old" in run_doctests(warning, "warning")[1]
    assert run_doctests("```python\n>>> 1 + 1\n2\n```\n", "right") == (1, "")
    assert list(programs("```python\nprint(2)\n```\n\n```text\n2\n```\n")) == [("print(2)\n", "2\n")]
    assert list(programs("```python\nprint(2)  # 2\n```\nprose\n```text\nx\n```\n")) == [("print(2)  # 2\n", "2\n")]
    assert list(programs("```python\nimport os\n```\n")) == []
    assert anchors("# A guide\n\n```python\n# no heading\n```\n### Top-p (nucleus)\n") == {"a-guide", "top-p-nucleus"}
