"""The conformance page: each case comes out as PyTorch's did, claims only what it uses, and the page says the truth."""

import json
import subprocess
import sys

import pytest

from minigrad.alias import alias
from minigrad.conformance import SURFACE, __main__ as command, page
from minigrad.conformance.case import CASES, RECORDED, Case, case_list, cases_of, recorded
from minigrad.conformance.outcome import compact, differs
from minigrad.conformance.source import ROOT, place_of
from minigrad.conformance.surface import Section
from minigrad.conformance.verdict import CONFORMS, DIFFERS, MISSING, Verdict, judge, run

ALL = case_list()


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return judge()


# ---------------------------------------------------------------- the cases


@pytest.mark.parametrize("section", SURFACE)
def test_the_records_are_of_these_cases(section: str) -> None:
    assert json.loads((RECORDED / f"{section}.json").read_text(encoding="utf-8"))["recorded_from"].startswith(
        "PyTorch 2.13"
    )
    assert list(recorded(section)) == list(CASES[section]), "run scripts/record_torch.py"


def test_no_name_differs_from_pytorch(verdicts: list[Verdict]) -> None:
    wrong = [f"{v.section}:{v.name}: {v.why}" for v in verdicts if v.status == DIFFERS]
    assert not wrong, "\n".join(wrong)


def test_the_page_and_the_readme_are_what_the_command_writes(verdicts: list[Verdict]) -> None:
    written = page.PAGE.read_text(encoding="utf-8")
    assert page.without_lines(written) == page.without_lines(page.page(verdicts)), (
        "run python -m minigrad.conformance --write"
    )
    readme = page.README.read_text(encoding="utf-8")
    assert readme == page.in_readme(readme, verdicts), "run python -m minigrad.conformance --write"


# ---------------------------------------------------------------- the judge


def test_the_surface_has_the_names_and_no_name_twice() -> None:
    counts = {key: len(section.names) for key, section in SURFACE.items()}
    assert counts == {
        "tensor": 121, "methods": 20, "init": 14, "data": 12, "distributions": 3, "functions": 127, "modules": 90,
        "functional": 26, "optim": 25, "onemachine": 57, "ops": 200,
    }  # fmt: skip
    assert all(len(set(section.names)) == len(section.names) for section in SURFACE.values())


@pytest.fixture
def case():
    """The decorator for ops, what it registers taken away again."""
    before = dict(CASES["ops"])
    yield cases_of("ops")
    CASES["ops"].clear()
    CASES["ops"].update(before)


def test_a_case_is_refused_that_names_what_is_in_no_list(case) -> None:
    with pytest.raises(ValueError, match="'nonsense' is no name of the section 'ops'"):
        case("nonsense")
    with pytest.raises(ValueError, match="'backwards' is no name of the section 'tensor'"):
        case("add", "tensor:backwards")
    with pytest.raises(ValueError, match="must prove a name"):
        case()

    def twice(torch):
        return 1

    case("add")(twice)
    with pytest.raises(ValueError, match="the section 'ops' has a case twice already"):
        case("sub")(twice)


def judged(program, names, wanted):
    with alias():
        return run(Case("ops", program.__name__, program, names, 2e-6), wanted)


def test_a_case_that_does_not_use_a_name_proves_nothing_about_it() -> None:
    def sums(torch):
        return torch.sum(torch.ones(3))

    told = {"dtype": "float32", "shape": [], "values": [3.0]}
    found = judged(sums, ("functions:sum", "functions:ones", "functions:mean"), told)
    assert found == {"functions:sum": "", "functions:ones": "", "functions:mean": "ops/sums does not use it"}
    wrong = judged(sums, ("functions:sum",), told | {"values": [3.1]})
    assert "got 3.0, expected 3.1" in wrong["functions:sum"]


def test_methods_count_where_a_case_calls_them_and_not_where_minigrad_does() -> None:
    source = """
def program(torch):
    x = torch.ones(2, 3)
    x.flatten()
    return torch.nn.Embedding.from_pretrained(x).training
"""
    scope: dict = {}
    exec(compile(source, str(RECORDED.parent / "cases" / "somewhere.py"), "exec"), scope)
    proved = {"tensor:flatten", "modules:Embedding.from_pretrained", "methods:training"}
    names = (*proved, "tensor:reshape", "methods:eval")
    found = judged(scope["program"], names, True)
    assert {name for name, wrong in found.items() if not wrong} == proved


def test_a_name_is_found_where_it_is_written() -> None:
    with alias():
        places = {
            path: place_of(path)
            for section in SURFACE.values()
            for name in section.names
            for path in section.paths(name)
        }
    for path, owner, line in [
        ("torch.nn.Linear", "minigrad/nn/linear.py", "class Linear(Module):"),
        ("torch.Tensor.cumsum", "minigrad/tensor.py", "def cumsum("),
        ("torch.cumsum", "minigrad/tensor.py", "def cumsum("),
        ("torch.cat", "minigrad/ops/shape.py", "def cat("),
        ("torch.float32", "minigrad/dtype.py", "float32"),
        ("torch.concatenate", "minigrad/__init__.py", "concat = concatenate = cat"),
        ("torch.pi", "minigrad/__init__.py", "from math import e, inf, nan, pi"),
        ("torch.nn.Module.training", "minigrad/nn/module.py", "training"),
        ("torch.optim.Optimizer.param_groups", "minigrad/optim/optimizer.py", "self.param_groups"),
        ("torch.backends.cudnn.benchmark", "minigrad/onemachine/backends.py", "cudnn = Switches("),
        ("torch.nn.Embedding.from_pretrained", "minigrad/nn/embedding.py", "def from_pretrained("),
    ]:
        place = places[path]
        assert place is not None and place.file == owner
        assert line in (ROOT / place.file).read_text(encoding="utf-8").splitlines()[place.line - 1], path
    with alias():
        assert place_of("torch.nonsense") is None and place_of("torch.nn.Module.nonsense") is None
        assert place_of("torch.nonsense.more") is None and place_of("torch.backends.cudnn.nonsense") is None


def test_what_no_case_proves_or_minigrad_lacks_is_missing(case, monkeypatch) -> None:
    for section in CASES:
        monkeypatch.setitem(CASES, section, {})
    monkeypatch.setitem(SURFACE, "ops", Section("ops", "Ops", "add nonsense sub"))

    def adds(torch):
        return torch.add(torch.ones(1), 1).item()

    case("add", "nonsense")(adds)  # no such name in minigrad, whatever a case says
    monkeypatch.setattr("minigrad.conformance.case.recorded", lambda section: {"adds": 2.0})
    found = {v.name: (v.status, v.why) for v in judge(["ops"])}
    assert found["add"] == (CONFORMS, "")
    assert found["nonsense"] == (MISSING, "not defined")
    assert found["sub"] == (MISSING, "no case proves it")


def test_the_totals_are_counted() -> None:
    made = [Verdict("ops", "add", CONFORMS, None), Verdict("ops", "sub", DIFFERS, None, "why not")]
    assert page.totals(made) == [(SURFACE["ops"].title, 1, 2), ("all", 1, 2)]
    assert "ops:sub differs: why not" in page.report(made)
    assert "| all | 1 | 2 |" in page.in_readme(f"a {page.START} old {page.END} b", made)
    with pytest.raises(ValueError, match="lacks the markers"):
        page.in_readme("no table", made)


def test_records_are_as_short_as_their_dtype_allows() -> None:
    third = {"dtype": "float32", "shape": [1], "values": [0.3333333432674408]}
    assert compact({"a": [third]}) == {"a": [third | {"values": [0.333333343]}]}
    assert compact([0.1 + 0.2]) == [0.1 + 0.2] and not differs(third, compact(third))


def test_the_command_says_what_it_does() -> None:
    run_it = [sys.executable, "-m", "minigrad.conformance"]
    text = subprocess.run([*run_it, "--help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "--section" in text and "--write" in text
    ran = subprocess.run([*run_it, "--section", "distributions"], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0 and "of    3" in ran.stdout, ran.stderr
    both = subprocess.run([*run_it, "--write", "--section", "ops"], capture_output=True, text=True, cwd=ROOT)
    assert both.returncode == 2 and "--write takes all sections" in both.stderr


def test_the_exit_code_is_1_where_a_name_differs_and_write_writes(monkeypatch, tmp_path) -> None:
    found = [Verdict("ops", "add", CONFORMS, None), Verdict("ops", "sub", MISSING, None, "not defined")]
    monkeypatch.setattr(command, "judge", lambda sections: found)
    monkeypatch.setattr(page, "PAGE", tmp_path / "conformance.md")
    monkeypatch.setattr(page, "README", tmp_path / "README.md")
    page.README.write_text(f"before {page.START} old {page.END} after", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["conformance", "--write"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert not ended.value.code  # what is still to come is no failure
    assert "| `sub` | missing |  |" in page.PAGE.read_text(encoding="utf-8")
    written = page.README.read_text(encoding="utf-8")
    assert written.startswith("before ") and written.endswith(" after") and "| all | 1 | 2 |" in written
    found.append(Verdict("ops", "mul", DIFFERS, None, "why not"))
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
