"""The named tuples that functions with several results return, printed as PyTorch prints them."""

from collections import namedtuple
from typing import Any

_PAIR = "values indices"
_FIELDS = {
    **dict.fromkeys(("max", "min", "median", "mode", "sort", "topk"), _PAIR),
    **dict.fromkeys(("cummax", "cummin", "kthvalue", "nanmedian"), _PAIR),
    "aminmax": "min max",
    "frexp": "mantissa exponent",
    "histogram": "hist bin_edges",
    "linalg_eigh": "eigenvalues eigenvectors",
    "linalg_lstsq": "solution residuals rank singular_values",
    "linalg_qr": "Q R",
    "linalg_slogdet": "sign logabsdet",
    "linalg_svd": "U S Vh",
    "qr": "Q R",
    "slogdet": "sign logabsdet",
    "svd": "U S V",
}


def _return_type(name: str, fields: str) -> Any:
    plain: Any = namedtuple(name, fields)  # type: ignore[misc]

    def text(self: Any) -> str:
        lines = (f"{field}={value!r}" for field, value in zip(fields.split(), self, strict=True))
        return f"torch.return_types.{name}(\n" + ",\n".join(lines) + ")"

    return type(name, (plain,), {"__slots__": (), "__repr__": text, "__module__": __name__})


RETURN_TYPES: dict[str, Any] = {name: _return_type(name, fields) for name, fields in _FIELDS.items()}
globals().update(RETURN_TYPES)  # pickle looks the classes up here
