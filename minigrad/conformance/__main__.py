"""`python -m minigrad.conformance`: how much of the surface conforms to PyTorch, and what does not."""

import argparse
import sys

from minigrad.conformance import page
from minigrad.conformance.surface import SURFACE
from minigrad.conformance.verdict import DIFFERS, judge


def main() -> None:
    """Judge, print, write; the exit code is 1 where a name's outcome differs from PyTorch's."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.conformance", description=__doc__)
    parser.add_argument(
        "--section", action="append", choices=list(SURFACE), help="this section alone (may be given again)"
    )
    parser.add_argument(
        "--write", action="store_true", help="write docs/conformance.md and the table in README.md (all sections)"
    )
    options = parser.parse_args()
    if options.write and options.section:
        parser.error("--write takes all sections")
    verdicts = judge(options.section or SURFACE)
    print(page.report(verdicts))
    if options.write:
        page.PAGE.write_text(page.page(verdicts), encoding="utf-8")
        readme = page.README.read_text(encoding="utf-8")
        page.README.write_text(page.in_readme(readme, verdicts), encoding="utf-8")
    sys.exit(1 if any(verdict.status == DIFFERS for verdict in verdicts) else 0)


if __name__ == "__main__":
    main()
