"""Records what the Python frontend of cuDNN is called with, for tests/fake_cudnn.py.

    python scripts/record_cudnn_names.py   (nvidia-cudnn-frontend must be installed; neither a GPU nor cuDNN itself)

Writes tests/recorded/cudnn_names.json: parameters of functions and methods, arguments of the two attention ops (read
off their documentation: the methods take anything), members of enumerations.
"""

import importlib.metadata
import inspect
import json
import re
from pathlib import Path
from typing import Any

import cudnn

METHODS = ("tensor", "validate", "build_operation_graph", "create_execution_plans", "check_support", "build_plans",
           "select_plan", "get_workspace_size", "execute")  # fmt: skip
SETTERS = ("set_output", "set_dim", "set_stride", "set_data_type", "set_uid")


def parameters(function: Any) -> list[str]:
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def documented(function: Any) -> list[str]:
    """The argument names in `name(self, q: type, ..., scale: object | None = None) -> ...`."""
    inside = function.__doc__.split(" -> list")[0]
    return [name for name in re.findall(r"(\w+): ", inside) if name != "self"]


def main() -> None:
    graph = cudnn.pygraph
    enumerations = ("data_type", "heur_mode", "diagonal_alignment")
    lowered = cudnn._compiled_module.backend_graph
    found = {
        "version": importlib.metadata.version("nvidia-cudnn-frontend"),
        "functions": {name: parameters(getattr(cudnn, name)) for name in ("create_handle", "set_stream")},
        "pygraph": {"__init__": parameters(graph.__init__), **{m: parameters(getattr(graph, m)) for m in METHODS}},
        "properties": [n for n in ("plans", "selected_engine") if isinstance(getattr(graph, n), property)],
        "tensor": {name: parameters(getattr(cudnn.Tensor, name)) for name in SETTERS},
        "ops": {name: documented(getattr(lowered, name)) for name in ("sdpa", "sdpa_backward")},
        "enumerations": {name: list(getattr(cudnn, name).__members__) for name in enumerations},
    }
    path = Path(__file__).parent.parent / "tests" / "recorded" / "cudnn_names.json"
    path.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
