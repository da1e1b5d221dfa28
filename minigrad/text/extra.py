"""The libraries behind some kinds of tokenizer, imported when one is made."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["library"]


def library(name: str) -> Any:
    """The module `tokenizers` or `sentencepiece`; ModuleNotFoundError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(
            f"this kind of tokenizer needs the package {name}: pip install 'minigrad[text]'", name=name
        ) from error
