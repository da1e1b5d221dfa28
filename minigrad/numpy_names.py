"""NumPy's names of arguments, which PyTorch takes as well: `axis` for `dim`, `keepdims` for `keepdim`."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable)

_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(method: Method) -> Method:
    """Decorator: the method under NumPy's names too. The most called ones name both in their signature instead."""

    @functools.wraps(method)
    def named(*args: Any, **options: Any) -> Any:
        if "axis" in options or "keepdims" in options:
            renamed = {_NAMES.get(name, name): value for name, value in options.items()}
            if len(renamed) < len(options):
                raise TypeError(f"{method.__name__}(): got both {' and '.join(sorted(options))}; give one of each pair")
            options = renamed
        return method(*args, **options)

    return named  # type: ignore[return-value]
