"""Write small files with PyTorch's torch.save, in both of its formats, and what is in them.

    python scripts/record_pt_files.py      # needs PyTorch; writes tests/recorded/pt/*.pt and contents.json

tests/test_torch_files.py reads them. The version of PyTorch stands in contents.json.
"""

import json
import warnings
from collections import Counter, OrderedDict
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "recorded" / "pt"


class Tied(nn.Module):
    """Two names for one parameter, and a buffer of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(3, 2)
        self.head = nn.Linear(2, 3, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("count", torch.tensor(5))


def objects() -> dict[str, object]:
    torch.manual_seed(0)
    base = torch.arange(12.0)
    weight = torch.randn(2, 3)
    dtypes = [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool,
    ]  # fmt: skip
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.randn(4, 2)).sum().backward()
    optimizer.step()
    return {
        "dtypes": {str(d): torch.tensor([0, 1, 2, 100]).to(d) for d in dtypes},
        "views": {
            "base": base, "rows": base.view(3, 4), "columns": base.view(3, 4).t(), "part": base[2:9:3],
            "again": base.view(3, 4),
            "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3), "empty": torch.zeros(0, 3),
            "scalar": torch.tensor(2.5),
        },
        "complex": {
            "single": torch.tensor([1 + 2j, -3j]), "double": torch.tensor([[1j, 2.5]], dtype=torch.complex128),
            "parts": torch.view_as_real(torch.tensor([1 + 2j])),
        },
        "tied": Tied().state_dict(),
        "checkpoint": {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.25},
        "plain": {
            "list": [1, -2, 2**40, 3.5, float("inf"), True, None, "text é", b"\x00bytes\xff"], "tuple": (1, (2, 3)),
            "set": {1, 2}, "size": torch.Size([2, 3]), "dtype": torch.float16, "device": torch.device("cpu"),
            7: "int key",
            "ordered": OrderedDict(b=1, a=2), "counter": Counter("aab"), "complex": 1 + 2j,
        },
        "parameter": {"p": nn.Parameter(weight), "q": nn.Parameter(weight, requires_grad=False),
                      "leaf": torch.ones(2, requires_grad=True)},
        "tensor": torch.tensor([1.0, 2.0]),
        "module": nn.Linear(1, 1),
    }  # fmt: skip


def told(x: object) -> object:
    """A value in JSON, tensors with their dtype and layout."""
    if isinstance(x, torch.Tensor):
        return {
            "values": told(x.detach().tolist()) if x.is_complex() else x.detach().double().tolist(),
            "dtype": str(x.dtype),
            "shape": list(x.shape),
            "stride": list(x.stride()),
            "requires_grad": x.requires_grad,
            "parameter": isinstance(x, nn.Parameter),
        }
    if isinstance(x, dict):
        return {str(key): told(value) for key, value in x.items()}
    if isinstance(x, (list, tuple, set)):
        return [told(value) for value in x]
    return x if isinstance(x, (int, str, type(None))) or (isinstance(x, float) and abs(x) < 1e300) else repr(x)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    contents: dict[str, object] = {}
    warnings.simplefilter("ignore")
    for name, value in objects().items():
        torch.save(value, FOLDER / f"{name}.pt")
        torch.save(value, FOLDER / f"{name}_legacy.pt", _use_new_zipfile_serialization=False)
        if name != "module":
            contents[name] = told(value)
    torch.jit.save(torch.jit.trace(nn.Linear(1, 1), torch.ones(1, 1)), str(FOLDER / "script.pt"))
    with open(FOLDER / "contents.json", "w", encoding="utf-8") as file:
        json.dump({"torch": torch.__version__, "contents": contents}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
