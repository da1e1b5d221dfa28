"""Records the names of nvmath-python's bindings of cuBLASLt that minigrad calls, for tests/fake_cublaslt.py.

    python scripts/record_nvmath_names.py   (nvmath-python must be installed, no GPU needed; writes
                                             tests/recorded/nvmath_names.json)

Functions are stored as the list of their parameters, enumerations as their numbers, attributes of descriptors as their
number and the dtype in which they are set. `names()` gives the same for a test to compare with.
"""

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

FUNCTIONS = (
    "create", "get_version", "matmul", "matmul_algo_get_heuristic",
    "matmul_desc_create", "matmul_desc_destroy", "matmul_desc_set_attribute", "get_matmul_desc_attribute_dtype",
    "matmul_preference_create", "matmul_preference_destroy", "matmul_preference_set_attribute",
    "get_matmul_preference_attribute_dtype",
    "matrix_layout_create", "matrix_layout_destroy", "matrix_layout_set_attribute", "get_matrix_layout_attribute_dtype",
)  # fmt: skip
ATTRIBUTES = {
    "MatmulDescAttribute": ("get_matmul_desc_attribute_dtype", "TRANSA TRANSB EPILOGUE BIAS_POINTER"),
    "MatrixLayoutAttribute": ("get_matrix_layout_attribute_dtype", "BATCH_COUNT STRIDED_BATCH_OFFSET"),
    "MatmulPreferenceAttribute": (
        "get_matmul_preference_attribute_dtype",
        "MAX_WORKSPACE_BYTES REDUCTION_SCHEME_MASK MIN_ALIGNMENT_A_BYTES MIN_ALIGNMENT_B_BYTES MIN_ALIGNMENT_C_BYTES "
        "MIN_ALIGNMENT_D_BYTES",
    ),
}
ENUMERATIONS = {"Epilogue": "DEFAULT BIAS RELU RELU_BIAS GELU GELU_BIAS", "ReductionScheme": "COMPUTE_TYPE"}
OF_CUBLAS = {"ComputeType": "COMPUTE_32F COMPUTE_32F_FAST_TF32 COMPUTE_64F", "Operation": "N T"}


def names() -> dict[str, Any]:
    from nvmath.bindings import cublas, cublasLt as lt

    attributes = {}
    for kind, (dtype_of, wanted) in ATTRIBUTES.items():
        members = [getattr(getattr(lt, kind), name) for name in wanted.split()]
        attributes[kind] = {m.name: [int(m), getattr(lt, dtype_of)(m).__name__] for m in members}
    enumerations = {
        kind: {name: int(getattr(getattr(module, kind), name)) for name in wanted.split()}
        for module, kinds in ((lt, ENUMERATIONS), (cublas, OF_CUBLAS))
        for kind, wanted in kinds.items()
    }
    result = lt.matmul_heuristic_result_dtype
    assert result.fields["algo"][1] == 0 and {"ptr", "state"} <= set(dir(lt.MatmulHeuristicResult))
    return {
        "functions": {name: parameters(getattr(lt, name).__doc__) for name in FUNCTIONS},
        "attributes": attributes,
        "enumerations": enumerations,
        "of cublas": sorted(OF_CUBLAS),
        "bytes of a heuristic result": result.itemsize,
        "bytes of an algorithm": lt.matmul_algo_dtype.itemsize,
        "error": lt.cuBLASLtError.__mro__[1].__name__,
    }


def parameters(text: str) -> list[str]:
    """Of `name(intptr_t handle, int type) -> intptr_t`, the form in which compiled functions carry theirs."""
    inside = re.search(r"\((.*?)\)", text.split("\n")[0])
    assert inside is not None, text
    return [part.split()[-1] for part in inside.group(1).split(",") if part.strip()]


def main() -> None:
    path = Path(__file__).parent.parent / "tests" / "recorded" / "nvmath_names.json"
    found = {"recorded_from": f"nvmath-python {metadata.version('nvmath-python')}", **names()}
    lines = [f"{json.dumps(title)}: {json.dumps(entries)}" for title, entries in found.items()]
    path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    print(f"{path.name}: {found['recorded_from']}")


if __name__ == "__main__":
    main()
