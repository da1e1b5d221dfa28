"""The modules of compiled kernels, imported at the first call that wants one: Numba takes longer than minigrad."""

import functools
import os
import warnings
from types import ModuleType, SimpleNamespace
from typing import Any


@functools.cache
def common() -> ModuleType:
    from minigrad.kernels import common  # not above: common asks backend.py, which lists this package

    return common


@functools.cache
def compiled() -> Any:
    """The modules of compiled kernels, or None where Numba is missing, broken or switched off (MINIGRAD_NUMBA=0)."""
    if os.environ.get("MINIGRAD_NUMBA", "1").lower() in ("0", "false", "no", "off"):
        return None
    try:
        from minigrad.kernels.cpu import (
            activations,
            attention,
            channels,
            conv,
            gemm,
            gemv,
            optim,
            pool,
            quantized,
            recurrent,
            reductions,
            residual,
            rows,
            scatter,
            threads,
        )
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        _report("not installed", "Install it (`python -m pip install numba`), or set")
        return None
    except ImportError as error:  # installed, but it does not fit this Python or NumPy
        _report(f"installed but cannot be imported ({error})", "Set")
        return None
    return SimpleNamespace(
        activations=activations,
        attention=attention,
        channels=channels,
        conv=conv,
        gemm=gemm,
        gemv=gemv,
        optim=optim,
        pool=pool,
        quantized=quantized,
        recurrent=recurrent,
        reductions=reductions,
        residual=residual,
        rows=rows,
        scatter=scatter,
        threads=threads,
    )


def _report(what: str, fix: str) -> None:
    """Not a RuntimeWarning: those of this package, which NumPy sets off at every overflow, are not shown."""
    warnings.warn(
        f"Numba is {what}: minigrad runs its slower NumPy definitions. {fix} MINIGRAD_NUMBA=0 to say that this is "
        "intended.",
        UserWarning,
        stacklevel=4,
    )
