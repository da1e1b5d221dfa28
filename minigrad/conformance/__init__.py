"""Which of the names that people bring from PyTorch mean here what they mean there: `python -m minigrad.conformance`.

A name conforms if small programs that use it give the values, gradients, dtypes and errors that PyTorch 2.13 gave;
nothing else counts. In reading order: surface.py (the names), case.py (what a case is), cases/ (the programs, by
section), outcome.py (how results are told and compared), trace.py (that a case uses what it claims), source.py (where a
name is defined), verdict.py (the judgement), page.py (docs/conformance.md).
"""

from minigrad.conformance.surface import SURFACE

__all__ = ["SURFACE"]
