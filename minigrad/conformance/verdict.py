"""The judgement: each case is run on minigrad and compared with its record, each name judged by the cases claiming it.

A name **conforms** if it is defined here, and every case that claims it uses it and comes out as recorded; it
**differs** if a case does not; it is **missing** if minigrad does not define it, or no case claims it.
"""

import importlib
import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from minigrad import random
from minigrad.alias import alias
from minigrad.conformance import case as cases, outcome, trace
from minigrad.conformance.case import Case
from minigrad.conformance.source import Place, place_of
from minigrad.conformance.surface import SURFACE

CONFORMS, DIFFERS, MISSING = "conforms", "differs", "missing"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a name, and why where it does not conform."""

    section: str
    name: str
    status: str
    place: Place | None
    why: str = ""


def run(case: Case, wanted: object) -> dict[str, str]:
    """What is wrong with the case, for each name that it claims; empty strings where nothing is."""
    torch = importlib.import_module("torch")  # under the alias
    random.manual_seed(0)
    with warnings.catch_warnings(), trace.watched(torch) as (library, uses):
        warnings.simplefilter("ignore")  # PyTorch warns as well: of old names, of an order of calls
        got = json.loads(json.dumps(outcome.outcome(case.program, library)))
    wrong = outcome.differs(got, wanted, float32=case.float32)
    if wrong:
        return dict.fromkeys(case.names, f"{case}: {wrong}")
    return {name: "" if _is_used(name, case, uses) else f"{case} does not use it" for name in case.names}


def _is_used(qualified: str, case: Case, uses: set[str]) -> bool:
    section, _, name = qualified.partition(":")
    return trace.uses_name(SURFACE[section].paths(name), uses, case.program)


def judge(sections: Iterable[str] = SURFACE) -> list[Verdict]:
    """The verdicts of all names of the sections."""
    claimed: dict[str, list[str]] = {f"{key}:{name}": [] for key in sections for name in SURFACE[key].names}
    records = {key: cases.recorded(key) for key in SURFACE}
    with alias():
        for case in cases.case_list():
            if not claimed.keys().isdisjoint(case.names):
                record = records[case.section].get(case.name, "no record: run scripts/record_torch.py")
                for name, wrong in run(case, record).items():
                    claimed.get(name, []).append(wrong)
        return [_verdict(qualified, wrong) for qualified, wrong in claimed.items()]


def _verdict(qualified: str, wrong: list[str]) -> Verdict:
    section, _, name = qualified.partition(":")
    place = next((place for path in SURFACE[section].paths(name) if (place := place_of(path))), None)
    why = "; ".join(filter(None, wrong))
    if place is None or not wrong:
        return Verdict(section, name, MISSING, place, "not defined" if place is None else "no case proves it")
    return Verdict(section, name, DIFFERS if why else CONFORMS, place, why)
