"""The folder `models/` beside the package: where `pipeline` and the `transformers` names find the architectures.

The models are written against the public API alone and are no part of the package, but their folder comes with it. It
is loaded under a name of its own, because a program may well have a `models` of its own.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

NAME = "minigrad_models"
FOLDER = Path(__file__).resolve().parents[1] / "models"


def models(name: str) -> ModuleType:
    """The module `models/<name>.py`. ModuleNotFoundError where the folder is not beside the package."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            NAME, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
        )
        if spec is None or spec.loader is None or not (FOLDER / "__init__.py").is_file():
            raise ModuleNotFoundError(
                f"the architectures are missing: {FOLDER} is not there. They come with minigrad's repository and its "
                "wheel; install one of these",
                name=NAME,
            )
        package = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{NAME}.{name}")
