"""The scripts of examples/ run inside the test's process: several runs take seconds that way, not a minute."""

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def losses(output: str) -> list[str]:
    """What --print-losses printed, one for each step."""
    return [line.split()[2] for line in output.splitlines() if line.startswith("loss ")]


class Scripts:
    """The fixture `examples`; the modules it loads are forgotten after the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        self.monkeypatch, self.capsys, self.before = monkeypatch, capsys, set(sys.modules)
        monkeypatch.syspath_prepend(str(EXAMPLES))

    def module(self, name: str) -> Any:
        return importlib.import_module(name)

    def run(self, name: str, *flags: object) -> str:
        """What `python examples/NAME.py FLAGS` prints."""
        self.monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, flags)])
        self.module(name).main()
        return self.capsys.readouterr().out

    def stopped(self, name: str, *flags: object, after: int, of: str = "") -> str:
        """The same of a run that gets Ctrl-C in its step `after`; of several runs, in the one that is saved in a folder
        `of`. It has to end with the code of an interrupt, and say how to go on.
        """
        run_class = self.module("training").Run
        record = run_class.record

        def interrupted(self: Any, step: int, loss: float, **others: float) -> None:
            record(self, step, loss, **others)
            if step + 1 == after and of in ("", Path(self.path).parent.name):
                os.kill(os.getpid(), signal.SIGINT)

        with self.monkeypatch.context() as patch:
            patch.setattr(run_class, "record", interrupted)
            with pytest.raises(SystemExit) as stop:
                self.run(name, *flags)
        output = self.capsys.readouterr().out
        assert stop.value.code == 130 and "--resume" in output
        return output

    def refused(self, name: str, *flags: object) -> str:
        """The message that a run with wrong flags ends with."""
        with pytest.raises(SystemExit) as stop:
            self.run(name, *flags)
        assert stop.value.code != 0
        return str(stop.value) + self.capsys.readouterr().err

    def forget(self) -> None:
        for name in set(sys.modules) - self.before:
            if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(EXAMPLES)):
                del sys.modules[name]
