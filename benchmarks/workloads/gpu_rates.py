"""Rates of a GPU: what gpu.py measures of single ops. As all workloads: one PyTorch program, run by both engines."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

DEVICE = "cuda"
DTYPES = {"float32": torch.float32, "tf32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def timed(call: Callable[[], Any], seconds: float = 1.0, rounds: int = 9, first: int = 3) -> float:
    """Seconds of one call: the median of `rounds` groups of calls, in about `seconds` altogether.

    The device is waited for at the end of a group alone, as a training loop would have it. The `first` calls are left
    out: in them kernels are compiled, and libraries choose theirs.
    """

    def group_of(calls: int) -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    group_of(first)
    calls = max(1, int(seconds / rounds / max(group_of(1), 1e-6)))
    return statistics.median(group_of(calls) / calls for _ in range(rounds))


def use_precision(precision: str) -> None:
    """Whether products of float32 may round their factors to TF32; the other precisions are matters of dtype."""
    allowed = precision == "tf32"
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


# ---------------------------------------------------------------- memory


@dataclass(frozen=True)
class Kernel:
    """`make(rows, width)` gives (function, its tensors). How often the bytes of (rows, width) have to be moved at
    least: `forward`, and `backward` (0 where there is none to measure).
    """

    make: Callable[[int, int], tuple[Callable[..., Any], list[torch.Tensor]]]
    forward: int
    backward: int = 0


def _normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, device=DEVICE)


def _copy(rows: int, width: int) -> Any:
    return torch.clone, [_normal(rows, width)]


def _softmax(rows: int, width: int) -> Any:
    return lambda x: x.softmax(-1), [_normal(rows, width)]


def _gelu(rows: int, width: int) -> Any:
    return F.gelu, [_normal(rows, width)]


def _layer_norm(rows: int, width: int) -> Any:
    tensors = [_normal(rows, width), _normal(width), _normal(width)]
    return lambda x, weight, bias: F.layer_norm(x, (width,), weight, bias), tensors


def _cross_entropy(rows: int, width: int) -> Any:
    labels = torch.randint(0, width, (rows,), device=DEVICE)
    return lambda x: F.cross_entropy(x, labels), [_normal(rows, width)]


def _random_numbers(rows: int, width: int) -> Any:
    return lambda: torch.rand(rows, width, device=DEVICE), []


def _adamw(rows: int, width: int) -> Any:
    parameter = torch.nn.Parameter(_normal(rows, width))
    parameter.grad = _normal(rows, width)
    return torch.optim.AdamW([parameter], fused=True).step, []


KERNELS: dict[str, Kernel] = {
    "copy": Kernel(_copy, 2),
    "layer_norm": Kernel(_layer_norm, 2, 3),  # backward reads dy and x, and writes dx
    "softmax": Kernel(_softmax, 2, 3),
    "cross_entropy": Kernel(_cross_entropy, 1, 2),
    "gelu": Kernel(_gelu, 2, 3),
    "adamw": Kernel(_adamw, 7),  # the parameter and both moments are read and written, the gradient is read
    "random_numbers": Kernel(_random_numbers, 1),
}


def kernel(name: str, rows: int, width: int, trained: bool = False, **how: Any) -> dict[str, float]:
    """The bandwidth of an op on float32 (rows, width), forward alone or with its backward: bytes that have to be moved
    at least, over the time.
    """
    function, tensors = KERNELS[name].make(rows, width)
    for tensor in tensors:
        tensor.requires_grad_(trained)
    dy = _normal(rows, width) if trained and name != "cross_entropy" else None  # else of a number, which is 1

    def step() -> None:
        for tensor in tensors:
            tensor.grad = None
        y = function(*tensors)
        if trained:
            y.backward(dy)

    seconds = timed(step, **how)
    passes = KERNELS[name].forward + (KERNELS[name].backward if trained else 0)
    return {"ms": 1e3 * seconds, "GB/s": passes * 4 * rows * width / seconds / 1e9}


# ---------------------------------------------------------------- products


def product(precision: str, n: int, k: int, m: int, **how: Any) -> dict[str, float]:
    """Teraflops of x W^T, (n, k) @ (k, m), as a Linear has it; and how far its first row is from float64's."""
    use_precision(precision)
    x, weight = (torch.randn(rows, k, device=DEVICE).to(DTYPES[precision]) for rows in (n, m))
    seconds = timed(lambda: x @ weight.t(), **how)
    exact = x[:1].double() @ weight.double().t()  # of the rounded factors: what is lost in the product alone
    error = ((x @ weight.t())[:1].double() - exact).abs().max() / exact.abs().max()
    return {"ms": 1e3 * seconds, "TF/s": 2 * n * k * m / seconds / 1e12, "error": error.item()}


def attention(precision: str, batch: int, heads: int, length: int, width: int, **how: Any) -> dict[str, float]:
    """Causal attention, forward and backward: 7 products of (length, length, width) a head, of which half is masked."""
    use_precision(precision)
    shape = batch, heads, length, width
    q, k, v, dy = (torch.randn(*shape, device=DEVICE).to(DTYPES[precision]) for _ in range(4))
    for tensor in (q, k, v):
        tensor.requires_grad_()

    def step() -> None:
        q.grad = k.grad = v.grad = None
        F.scaled_dot_product_attention(q, k, v, is_causal=True).backward(dy)

    seconds = timed(step, **how)
    return {"ms": 1e3 * seconds, "TF/s": 7 * batch * heads * length**2 * width / seconds / 1e12}
