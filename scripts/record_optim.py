"""Records steps of PyTorch's optimizers, rates of its schedules and clipped gradients, for tests/optim.

    python scripts/record_optim.py        (PyTorch must be installed; writes tests/recorded/optim.json)

The cases are those of tests/optim/optim_cases.py. The objective is sum(curvature p^2 / 2 - pull p), with another
`pull` in every step; all its numbers are multiples of 1/64, which every floating type used holds exactly.
"""

import inspect
import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.nn import utils
from torch.optim import lr_scheduler

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "optim"))
import optim_cases as cases  # noqa: E402


def problem() -> dict[str, list]:
    random = np.random.default_rng(2)
    sizes = [math.prod(shape) for shape in cases.SHAPES]
    draw = lambda low, high, n: (random.integers(low, high, n) / 64).tolist()  # noqa: E731
    return {
        "start": [draw(-128, 128, n) for n in sizes],
        "curvature": [draw(16, 96, n) for n in sizes],
        "pull": [[draw(-64, 64, n) for n in sizes] for _ in range(cases.STEPS)],
    }


def plain(tensor: torch.Tensor) -> list[float]:
    """In the shortest digits that give the same number again in the tensor's dtype."""
    return [float(str(value)) for value in tensor.detach().numpy().reshape(-1)]


def optimizer_runs(given: dict[str, list]) -> list[dict]:
    runs = []
    for kind, variants in cases.OPTIMIZERS.items():
        for number, options in enumerate(variants):
            for dtype in (torch.float32, torch.float64):
                make = lambda values, shape, dtype=dtype: torch.tensor(values, dtype=dtype).reshape(shape)  # noqa: E731
                parameters = [nn.Parameter(make(v, s)) for v, s in zip(given["start"], cases.SHAPES, strict=True)]

                def set_gradients(step: int, i: int, p: torch.Tensor, make: Any = make) -> None:
                    shape = cases.SHAPES[i]
                    p.grad = make(given["curvature"][i], shape) * p.detach() - make(given["pull"][step - 1][i], shape)

                looked_at = {}
                optimizer = cases.optimizer_of(optim, kind, {**options, "foreach": False}, parameters)
                for step in cases.steps_of(optimizer, parameters, set_gradients):
                    if step in cases.LOOKED_AT:
                        looked_at[step] = [plain(p) for p in parameters]
                states = [{name: plain(value) for name, value in optimizer.state[p].items()} for p in parameters]
                named = {"kind": kind, "number": number, "dtype": str(dtype).split(".")[1]}
                runs.append({**named, "parameters": looked_at, "state": states})
    return runs


def pair() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))]


def schedule_tables() -> dict[str, dict]:
    tables: dict[str, dict] = {"epochs": {}, "jumps": {}, "changed by hand": {}}
    for name, make in cases.SCHEDULES.items():
        optimizer = cases.optimizer_for(optim, name, pair())
        scheduler = make(lr_scheduler, optimizer)
        tables["epochs"][name] = [cases.row(optimizer), *cases.run_schedule(scheduler)]
        if name in cases.JUMPS:
            optimizer = cases.optimizer_for(optim, name, pair())
            scheduler = make(lr_scheduler, optimizer)
            tables["jumps"][name] = []
            for epoch in cases.JUMPS[name]:
                optimizer.step()
                scheduler.step(epoch)
                tables["jumps"][name].append(cases.row(optimizer))
            tables["jumps"][name] += cases.run_schedule(scheduler, 0, 3)
        if name in cases.CHANGED_BY_HAND:
            optimizer = cases.optimizer_for(optim, name, pair())
            scheduler = make(lr_scheduler, optimizer)
            list(cases.run_schedule(scheduler, 0, 3))
            optimizer.param_groups[0]["lr"] = 0.04
            tables["changed by hand"][name] = list(cases.run_schedule(scheduler, 3, 12))
    return tables


def clipped() -> list[dict]:
    results = []
    for norm_type in cases.NORM_TYPES:
        for max_norm in cases.MAX_NORMS:
            parameters = [nn.Parameter(torch.zeros_like(torch.tensor(g))) for g in cases.GRADIENTS]
            for p, g in zip(parameters, cases.GRADIENTS, strict=True):
                p.grad = torch.tensor(g)
            norm = utils.clip_grad_norm_([*parameters, nn.Parameter(torch.ones(1))], max_norm, norm_type)
            given = {"norm_type": norm_type, "max_norm": max_norm}
            results.append({**given, "norm": plain(norm)[0], "gradients": [plain(p.grad) for p in parameters]})
    return results


def signature_of(function: Any) -> list[list]:
    """[name, kind, default] of each parameter."""
    parameters = inspect.signature(function).parameters.values()
    return [[p.name, p.kind.name, "(none)" if p.default is p.empty else repr(p.default)] for p in parameters]


def main() -> None:
    warnings.simplefilter("ignore")  # step(epoch) is deprecated
    given = problem()
    runs = optimizer_runs(given)
    shown = {kind: repr(getattr(optim, kind)([{"params": [p], "lr": 0.5} for p in pair()])) for kind in cases.SHOWN}
    signatures = {kind: signature_of(getattr(optim, kind)) for kind in cases.SIGNED}
    signatures |= {name: signature_of(getattr(lr_scheduler, name)) for name in cases.SCHEDULE_NAMES}
    signatures |= {name: signature_of(getattr(optim.Optimizer, name)) for name in cases.METHODS}
    signatures |= {name: signature_of(getattr(utils, name)) for name in cases.CLIPPING}
    tables = schedule_tables()
    lines = [f'{{"recorded_from": "PyTorch {torch.__version__}",', f'"problem": {json.dumps(given)},', '"runs": [']
    lines += [",\n".join(json.dumps(run) for run in runs), "],"]
    for title, table in tables.items():
        lines += [f'"{title}": {{', ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items()), "},"]
    lines += ['"clipped": [', ",\n".join(json.dumps(result) for result in clipped()), "],"]
    lines += [f'"printed": {json.dumps(shown)},', f'"signatures": {json.dumps(signatures)}}}']
    path = ROOT / "tests" / "recorded" / "optim.json"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path.name}: {len(runs)} optimizer runs, {len(tables['epochs'])} schedules, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
