"""The names of CuPy 14.2 that the stand-in of strict_cupy.py has, by family, and the parameters CuPy gives them.

`CUPY` was read off an installed CuPy by scripts/record_cupy_names.py. The families list the part of it that the
stand-in offers, since each family behaves in its own way; test_strict_cupy.py checks that CuPy has every name.
"""

import inspect
import json
from pathlib import Path

CUPY = json.loads((Path(__file__).parent / "recorded" / "cupy_names.json").read_text(encoding="utf-8"))
UFUNCS = [name for name in CUPY["ufuncs"] if name in CUPY["functions"]]


def _names(text: str) -> list[str]:
    return text.split()


REDUCTIONS = _names("""
    all amax amin any argmax argmin average count_nonzero cumprod cumsum cumulative_prod cumulative_sum max mean
    median min nanargmax nanargmin nanmax nanmean nanmin nanprod nanstd nansum nanvar prod ptp std sum var
""")
CREATION = _names("""
    arange diag diagflat empty empty_like eye full full_like identity indices linspace logspace meshgrid ones
    ones_like tri tril tril_indices triu triu_indices vander zeros zeros_like
""")
SHAPING = _names("""
    append array_split ascontiguousarray astype atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to
    column_stack concat concatenate copy copyto diagonal dsplit dstack expand_dims flip fliplr flipud hsplit
    hstack matrix_transpose moveaxis pad permute_dims ravel repeat reshape roll rollaxis rot90 split squeeze stack
    swapaxes tile transpose vsplit vstack
""")
INDEXING = _names("""
    argpartition argsort digitize isin lexsort partition put put_along_axis ravel_multi_index searchsorted select
    sort take take_along_axis unravel_index where
""")
NUMERIC = _names("""
    allclose angle around array_equal clip convolve correlate cross diff ediff1d fill_diagonal gradient interp
    isclose isneginf isposinf kron nan_to_num outer real real_if_close imag round trace trapezoid unwrap
""")
PRODUCTS = _names("dot einsum inner matmul tensordot vdot")
SYNCHRONISING = _names("""
    argwhere bincount choose compress delete extract flatnonzero histogram intersect1d nonzero place setdiff1d
    setxor1d trim_zeros union1d unique unique_all unique_counts unique_inverse unique_values
""")
HOST_FACTS = _names("""
    broadcast_shapes can_cast iscomplexobj isdtype isrealobj isscalar issubdtype may_share_memory min_scalar_type
    ndim promote_types result_type shape shares_memory size
""")
LINALG = _names("cholesky det eigh eigvalsh inv lstsq matrix_power norm pinv qr slogdet solve svd")
METHODS = _names("""
    all any argmax argmin argpartition argsort astype clip conj copy cumprod cumsum diagonal dot fill flatten max
    mean min partition prod put ravel repeat reshape round searchsorted sort squeeze std sum swapaxes take trace
    transpose var view choose compress item nonzero tobytes tolist
""")
VALUES = _names("""
    bool_ complex64 complex128 dtype e euler_gamma finfo float16 float32 float64 floating generic iinfo inexact
    inf int8 int16 int32 int64 integer intp nan newaxis number pi signedinteger uint8 uint16 uint32 uint64
""")
FUNCTIONS = [
    *REDUCTIONS,
    *CREATION,
    *SHAPING,
    *INDEXING,
    *NUMERIC,
    *PRODUCTS,
    *SYNCHRONISING,
    *HOST_FACTS,
]  # besides UFUNCS


def signature(tokens: list[str]) -> inspect.Signature:
    """The parameters a recorded name takes, for binding arguments to them; see scripts/record_cupy_names.py."""
    kind, parameters = inspect.Parameter.POSITIONAL_OR_KEYWORD, []
    for token in tokens:
        name = token.strip("*=")
        if token.startswith("**"):
            parameters.append(inspect.Parameter(name, inspect.Parameter.VAR_KEYWORD))
        elif token.startswith("*"):
            if name:
                parameters.append(inspect.Parameter(name, inspect.Parameter.VAR_POSITIONAL))
            kind = inspect.Parameter.KEYWORD_ONLY
        elif token == "/":
            parameters = [p.replace(kind=inspect.Parameter.POSITIONAL_ONLY) for p in parameters]
        else:
            default = None if token.endswith("=") else inspect.Parameter.empty
            parameters.append(inspect.Parameter(name, kind, default=default))
    return inspect.Signature(parameters)
