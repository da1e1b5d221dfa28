"""Records what PyTorch's layers answer, for the tests in tests/nn.

python scripts/record_nn.py        (PyTorch must be installed; writes tests/recorded/nn.json)
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "nn"))

import layer_cases as cases  # noqa: E402


def rounded(value: Any) -> Any:
    """Numbers to 10 digits: enough for every comparison made, and half as long."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def initial_weights() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for seed in cases.SEEDS:
        for what, (name, args, kwargs) in cases.INITIAL.items():
            torch.manual_seed(seed)
            state = getattr(nn, name)(*args, **kwargs).state_dict()
            found[f"{what}, {seed}"] = {key: value.tolist() for key, value in state.items()}
    return found


def init_functions() -> list[Any]:
    found = []
    for name, shape, kwargs in cases.INIT:
        torch.manual_seed(0)
        found.append(getattr(nn.init, name)(torch.empty(shape), **kwargs).tolist())
    return found


def forwards() -> dict[str, Any]:
    return {
        what: cases.answer(
            cases.fill(torch, getattr(nn, name)(*args, **kwargs)), cases.inputs(torch, arrays, what in cases.TARGETS)
        )
        for what, name, args, kwargs, arrays in cases.FORWARDS
    }


def main() -> None:
    modules = [getattr(nn, name)(*args, **kwargs) for name, args, kwargs in cases.REPRS]
    recorded = {
        "torch": torch.__version__,
        "reprs": [[repr(module), list(module.state_dict())] for module in modules],
        "initial": initial_weights(),  # not rounded: compared to the bit
        "init": init_functions(),
        "forwards": rounded(forwards()),
        "attention": rounded(cases.attention(torch)),
        "encoders": rounded(cases.encoders(torch)),
        "in training": rounded(cases.in_training(torch)),
        "hooks": cases.hooks(torch),
        "errors": cases.errors(torch),
    }
    path = ROOT / "tests" / "recorded" / "nn.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
