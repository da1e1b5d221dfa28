"""Arrays of other libraries come in and go out on the same memory, by DLPack."""

import numpy as np
import pytest
from strict_cupy import StrictArray, as_cuda, to_device

import minigrad as mg
from minigrad.kernels import common


def test_to_numpy_and_back_on_one_memory():
    x = mg.arange(6.0).reshape(2, 3).mT
    theirs = np.from_dlpack(x)
    assert theirs.tolist() == x.tolist() and x.__dlpack_device__() == (1, 0)
    x[0, 1] = 50
    assert theirs[0, 1] == 50
    ours = mg.from_dlpack(x)
    ours[2, 0] = 7
    assert x[2, 0].item() == 7 and ours.dtype is mg.float32
    source = np.arange(3)
    assert mg.from_dlpack(source).dtype is mg.int64
    mg.from_dlpack(source)[0] = 9
    assert source[0] == 9


def test_what_cannot_go_out_says_why():
    with pytest.raises(BufferError, match="require gradient, use tensor.detach"):
        mg.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="DLPack only supports"):
        mg.ones(2, dtype=mg.bfloat16).__dlpack__()
    with pytest.raises(TypeError, match="__dlpack__"):
        mg.from_dlpack([1.0])
    assert not hasattr(mg.ones(2), "__cuda_array_interface__")


def test_on_the_gpu_the_array_answers(monkeypatch):
    asked = []

    def dlpack(self, **options):
        asked.append(options)
        return "capsule"

    monkeypatch.setattr(StrictArray, "__dlpack__", dlpack, raising=False)
    monkeypatch.setattr(StrictArray, "__dlpack_device__", lambda self: (2, 0), raising=False)
    monkeypatch.setattr(StrictArray, "__cuda_array_interface__", {"version": 3}, raising=False)
    with as_cuda(common):
        x = mg.ones(2, device="cuda")
        assert x.__dlpack__(stream=7, max_version=(1, 0)) == "capsule"
        assert asked == [{"stream": 7, "max_version": (1, 0), "dl_device": None, "copy": None}]
        assert x.__dlpack_device__() == (2, 0) and x.__cuda_array_interface__ == {"version": 3}
        module = mg.backend.array_module(x.array)
        monkeypatch.setattr(module, "from_dlpack", lambda given: to_device(np.ones(2)), raising=False)
        assert mg.from_dlpack(x).device.type == "cuda"
