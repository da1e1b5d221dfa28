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
        return None
    except ImportError as error:  # installed, but it does not fit this Python or NumPy
        warnings.warn(
            f"Numba is installed but cannot be imported ({error}): minigrad runs its slower NumPy definitions. "
            "Set MINIGRAD_NUMBA=0 to say that this is intended.",
            RuntimeWarning,
            stacklevel=3,
        )
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
