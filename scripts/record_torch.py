"""Records what PyTorch makes of the conformance cases: values, shapes, dtypes, gradients, the types of errors.

    python scripts/record_torch.py [SECTION ...]     (PyTorch must be installed; no section: all of them)

The cases are those of minigrad/conformance/cases; each section is kept in minigrad/conformance/recorded/SECTION.json.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed
import torch.distributions
import torch.nn.utils
import torch.onnx
import torch.optim.lr_scheduler
import torch.profiler
import torch.utils.checkpoint
import torch.utils.data
import torch.utils.data.distributed

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from minigrad.conformance.case import RECORDED, case_list
from minigrad.conformance.outcome import compact, outcome
from minigrad.conformance.surface import SURFACE


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for section in sys.argv[1:] or SURFACE:
        rows = []
        for case in case_list([section]):
            torch.manual_seed(0)
            told = compact(outcome(case.program, torch))
            rows.append(f"{json.dumps(case.name)}: {json.dumps(told)}")
            if isinstance(told, dict) and set(told) == {"error"}:
                raise SystemExit(f"{case} raised {told['error']} on PyTorch: wrap what shall raise in error_of")
            if not torch.is_grad_enabled() or torch.get_default_dtype() is not torch.float32:
                raise SystemExit(f"{case} left a global switch flipped: the cases after it would record nonsense")
        head = f'"recorded_from": {json.dumps(f"PyTorch {torch.__version__}")}'
        text = "{\n" + head + ',\n"cases": {\n' + ",\n".join(rows) + "\n}\n}\n"
        (RECORDED / f"{section}.json").write_text(text, encoding="utf-8")
        print(f"{section}: {len(rows)} cases")


if __name__ == "__main__":
    main()
