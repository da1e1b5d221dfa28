"""The verdicts as text: docs/conformance.md, the table in the README, and what the command prints."""

import re
from collections.abc import Sequence

from minigrad.conformance.source import ROOT
from minigrad.conformance.surface import SURFACE
from minigrad.conformance.verdict import CONFORMS, Verdict

PAGE = ROOT / "docs" / "conformance.md"
README = ROOT / "README.md"
START, END = "<!-- conformance: written by python -m minigrad.conformance --write -->", "<!-- end of conformance -->"

_HEAD = """# Conformance

Which of the names that people bring from PyTorch mean here what they mean there. The names are those of 141 public
programs. A name conforms if the cases in `minigrad/conformance/cases/` that claim it give the values, gradients, dtypes
and errors that PyTorch 2.13 gave; a name that no case proves counts as missing. This page is written by
`python -m minigrad.conformance --write`, never by hand.

```python
>>> from minigrad.conformance import SURFACE
>>> sum(len(section.names) for section in SURFACE.values())
{total}
```
"""


def totals(verdicts: Sequence[Verdict]) -> list[tuple[str, int, int]]:
    """(title, how many conform, how many there are) for each section, and for all together."""
    rows = []
    for key in dict.fromkeys(verdict.section for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.section == key]
        rows.append((SURFACE[key].title, _conforming(own), len(own)))
    return [*rows, ("all", _conforming(verdicts), len(verdicts))]


def _conforming(verdicts: Sequence[Verdict]) -> int:
    return sum(verdict.status == CONFORMS for verdict in verdicts)


def table(verdicts: Sequence[Verdict]) -> str:
    rows = [f"| {title} | {here} | {of} |" for title, here, of in totals(verdicts)]
    return "\n".join(["| names | conform | of |", "|---|---:|---:|", *rows])


def page(verdicts: Sequence[Verdict]) -> str:
    """The text of docs/conformance.md."""
    parts = [_HEAD.format(total=len(verdicts)), table(verdicts) + "\n"]
    for key, section in SURFACE.items():
        rows = [_row(verdict) for verdict in verdicts if verdict.section == key]
        parts.append(f"## {section.title}\n\n| name | | defined in |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(verdict: Verdict) -> str:
    place = verdict.place
    link = "" if place is None else f"[{place.file}](../{place.file}#L{place.line})"
    return f"| `{verdict.name}` | {verdict.status} | {link} |"


def in_readme(readme: str, verdicts: Sequence[Verdict]) -> str:
    """The README with the table between its markers made anew."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"README.md lacks the markers {START} and {END}")
    return f"{before}{START}\n\n{table(verdicts)}\n\n{END}{after}"


def without_lines(text: str) -> str:
    """The page without the numbers of lines: every edit moves them, and the next --write mends them."""
    return re.sub(r"#L\d+\)", ")", text)


def report(verdicts: Sequence[Verdict]) -> str:
    """What the command prints: the totals, and each name that does not conform, with the reason."""
    rows = [f"{title:<42} {here:>4} of {of:>4}" for title, here, of in totals(verdicts)]
    wrong = [f"{v.section}:{v.name} {v.status}: {v.why[:400]}" for v in verdicts if v.status != CONFORMS]
    return "\n".join([*rows, *([""] if wrong else []), *wrong])
