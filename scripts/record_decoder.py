"""Records what PyTorch's TransformerDecoder and Transformer answer, for tests/nn/test_decoder.py.

python scripts/record_decoder.py        (PyTorch must be installed; writes tests/recorded/decoder.json)
"""

import json
import sys
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "nn"), str(ROOT / "scripts")]

import decoder_cases as cases  # noqa: E402
from record_nn import rounded  # noqa: E402


def main() -> None:
    warnings.simplefilter("ignore")  # what is said of nested tensors, and of masks of two dtypes
    recorded = {
        "torch": torch.__version__,
        "decoders": rounded(cases.decoders(torch)),
        "in training": rounded(cases.in_training(torch)),
        "initial": cases.initial(torch),  # not rounded: compared to the bit
        "errors": cases.errors(torch),
    }
    path = ROOT / "tests" / "recorded" / "decoder.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
