"""`python -m minigrad.run SCRIPT [ARGS]`: run a PyTorch program on minigrad, with no PyTorch installed.

The script runs as `python SCRIPT ARGS` would run it (`sys.argv`, `sys.path[0]`, `__name__ == "__main__"`, `__file__`,
tracebacks, exit code), but with the alias on: `import torch`, `torchvision` and `transformers` give minigrad. SCRIPT
may be a folder with a `__main__.py`, or `-m MODULE` as in `python -m MODULE`.
"""

import io
import os
import runpy
import sys
import types
from importlib.machinery import SourceFileLoader
from typing import Any

from minigrad import backend, dtype
from minigrad.alias import alias, missing
from minigrad.tensor import Size, Tensor

USAGE = """usage: python -m minigrad.run SCRIPT [ARGS]
       python -m minigrad.run -m MODULE [ARGS]

Runs a PyTorch program on minigrad: `import torch`, `torchvision` and `transformers` give minigrad.
"""


def main() -> None:
    """Run the program that the command line names."""
    args = sys.argv[1:]
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if args else sys.stderr)
        sys.exit(0 if args else 2)
    if args[0] == "-m" and len(args) > 1:
        _alias()
        sys.argv = args[1:]
        _guarded(lambda: runpy.run_module(args[1], run_name="__main__", alter_sys=True))
        return
    if args[0].startswith("-"):
        sys.exit(f"minigrad.run: unknown option {args[0]}\n{USAGE}")
    folder = os.path.isdir(args[0])
    script = os.path.abspath(os.path.join(args[0], "__main__.py") if folder else args[0])
    try:
        with io.open_code(script) as file:
            source = file.read()
    except OSError as error:
        print(f"minigrad.run: can't open file {script!r}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    _alias()
    sys.argv = args
    if not sys.flags.safe_path:  # there, `python -m` put the working directory
        sys.path[0] = args[0] if folder else os.path.dirname(os.path.realpath(script))
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=script, __builtins__=__builtins__, __loader__=SourceFileLoader("__main__", script), __cached__=None
    )
    sys.modules["__main__"] = module
    _guarded(lambda: exec(compile(source, script, "exec"), module.__dict__))


def _alias() -> None:
    """Turn the alias on, for good: then types may print as PyTorch's, too, as <class 'torch.Tensor'>."""
    from minigrad.nn.parameter import Parameter

    alias()
    for kind, home, name in (
        (Tensor, "torch", "Tensor"), (Size, "torch", "Size"), (dtype.DType, "torch", "dtype"),
        (backend.device, "torch", "device"), (Parameter, "torch.nn.parameter", "Parameter"),
    ):  # fmt: skip
        kind.__module__, kind.__name__, kind.__qualname__ = home, name, name


def _guarded(program: Any) -> None:
    """Run the program; an exception shows the program's own frames alone, and ends the process as Python ends it."""
    try:
        program()
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        error.__traceback__ = trace
        if isinstance(error, AttributeError) and isinstance(error.obj, Tensor):
            error.add_note(missing(f"Tensor.{error.name}"))  # here, as a __getattr__ would make every attribute slower
        sys.excepthook(type(error), error, trace)
        sys.excepthook = lambda *_: None  # it has been told; what is left to the interpreter is the exit code
        raise


def _is_ours(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen runpy") or file == runpy.__file__


if __name__ == "__main__":
    main()
