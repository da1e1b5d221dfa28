"""Out of memory: one more try, then an error that says what was asked for, who holds what, and what to do."""

import gc
import types
import weakref

import numpy as np
import pytest
from strict_cupy import as_cuda, strict

import minigrad as mg
from minigrad import out_of_memory
from minigrad.kernels import common
from minigrad.op import REGISTRY


def failing(monkeypatch, name: str, times: int) -> list[int]:
    """Let an op's forward run out of memory so many times; the list has an entry a call."""
    calls, real = [], REGISTRY[name].forward

    def forward(*arrays, **params):
        calls.append(1)
        if len(calls) <= times:
            raise MemoryError("Out of memory allocating 8,192 bytes (allocated so far: 4,096 bytes).")
        return real(*arrays, **params)

    monkeypatch.setattr(REGISTRY[name], "forward", forward)
    return calls


def test_more_than_the_machine_has() -> None:
    with pytest.raises(
        mg.OutOfMemoryError, match=r"(?s)not enough memory\. add asked for too much: Unable to allocate"
    ):
        mg.ones(1).expand(2**46) + 1
    assert issubclass(mg.OutOfMemoryError, RuntimeError) and mg.cuda.OutOfMemoryError is mg.OutOfMemoryError


def test_a_second_try_may_succeed(monkeypatch) -> None:
    calls = failing(monkeypatch, "exp", 1)
    x = mg.zeros(3, requires_grad=True)
    y = x.exp()
    assert y.tolist() == [1.0, 1.0, 1.0] and len(calls) == 2
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_in_backward_too(monkeypatch) -> None:
    x = mg.ones(3, requires_grad=True)
    y = x.log().sum()
    calls = failing(monkeypatch, "div", 9)
    with pytest.raises(mg.OutOfMemoryError, match="div asked for too much"):
        (y / 2).backward()
    assert len(calls) == 2


def test_a_dead_proxy_among_the_objects_does_no_harm() -> None:
    x, gone = mg.ones(3), mg.nn.Linear(1, 1)
    proxies = [weakref.proxy(gone)]
    del gone
    gc.collect()
    assert out_of_memory.holders("cpu")["tensors without a graph"][0] >= x.array.nbytes and len(proxies) == 1


def test_who_holds_what() -> None:
    layer = mg.nn.Linear(512, 300)
    x = mg.ones(100, 512)
    y = layer(x).exp()
    before = out_of_memory.holders("cpu")
    assert before["parameters"][0] >= 4 * 300 * 513
    assert before["the backward pass of exp"][0] >= 4 * 100 * 300  # exp keeps its result
    assert before["the backward pass of linear"][0] >= 4 * 100 * 512
    view = x[:2]
    after = out_of_memory.holders("cpu")
    assert after["the backward pass of linear"] == before["the backward pass of linear"]  # x and its view: one array
    y.sum().backward()
    assert out_of_memory.holders("cpu")["gradients of parameters"][0] >= 4 * 300 * 513
    assert view.shape == (2, 512)


def test_on_a_gpu_the_pool_is_freed(monkeypatch) -> None:
    freed = []
    pool = types.SimpleNamespace(free_all_blocks=lambda: freed.append(1))
    monkeypatch.setattr(strict, "get_default_memory_pool", lambda: pool, raising=False)
    runtime = types.SimpleNamespace(memGetInfo=lambda: (3 << 20, 80 << 30))
    with as_cuda(common):
        monkeypatch.setattr(strict, "cuda", types.SimpleNamespace(runtime=runtime), raising=False)
        x = mg.ones(1024, device="cpu").to("cuda").requires_grad_()
        y = x.exp()
        failing(monkeypatch, "sin", 2)
        with pytest.raises(mg.OutOfMemoryError) as error:
            x.sin()
    text = str(error.value)
    assert freed == [1] and y.shape == (1024,)
    for part in ("CUDA out of memory. sin asked for too much: Out of memory allocating 8,192 bytes",
                 "the backward pass of exp 4.00 KiB (1 arrays)", "Of the GPU's 80.00 GiB are 3.00 MiB free",
                 "smaller batch", "no_grad", "checkpoint", "autocast"):  # fmt: skip
        assert part in text, (part, text)


def test_sizes_are_spoken() -> None:
    assert [out_of_memory.spoken(n) for n in (12, 1536, 3 << 20, np.int64(5 << 40))] == [
        "12 bytes", "1.50 KiB", "3.00 MiB", "5.00 TiB"
    ]  # fmt: skip
