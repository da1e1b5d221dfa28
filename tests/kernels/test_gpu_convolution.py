"""Convolution on the GPU against its definition in float64; without a GPU the CUDA source runs on the CPU."""

import numpy as np
import pytest
from test_gpu_kernels import card as card, upload

import minigrad as mg
from minigrad import backend
from minigrad.kernels import common
from minigrad.kernels.common_conv import out_size
from minigrad.kernels.cuda import convolution
from minigrad.nn import functional as F

CASES = {  # (images, channels, height, width), (outputs, a group's channels, kh, kw), stride, padding, dilation, groups
    "3x3": ((2, 3, 9, 8), (5, 3, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "more than one tile": ((3, 17, 6, 7), (70, 17, 3, 2), (1, 1), ((1, 1), (0, 0)), (1, 1), 1),
    "stride": ((2, 4, 11, 10), (6, 4, 3, 3), (2, 3), ((1, 1), (2, 2)), (1, 1), 1),
    "dilation": ((1, 2, 12, 13), (3, 2, 3, 2), (1, 2), ((2, 2), (0, 0)), (2, 3), 1),
    "groups": ((2, 6, 7, 7), (9, 2, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 3),
    "depthwise": ((2, 5, 8, 8), (5, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 5),
    "1x1": ((4, 33, 5, 5), (7, 33, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "uneven padding": ((2, 2, 6, 6), (3, 2, 4, 4), (1, 1), ((1, 2), (0, 3)), (1, 1), 1),
    "rows that no window sees": ((1, 2, 10, 10), (3, 2, 2, 2), (4, 4), ((0, 0), (0, 0)), (1, 1), 1),
    "many places": ((9, 2, 16, 16), (3, 2, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
}


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def far(found, want) -> float:
    return float(abs(backend.to_host(found) - want).max() / max(abs(want).max(), 1.0))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_bias", [True, False])
def test_each_of_the_three(card, name, with_bias) -> None:
    size, shape, *place, groups = CASES[name]
    rng = np.random.default_rng(0)
    x, weight = normal(rng, *size), normal(rng, *shape)
    dy = normal(rng, size[0], shape[0], *out_size(size[2:], shape[2:], *place))
    bias, shift = (normal(rng, shape[0]), normal(rng, size[1])) if with_bias else (None, None)
    for function, arrays, others in (
        ("conv2d", (x, weight, bias), ()),
        ("conv2d_input", (dy, weight, shift), (size[2:],)),
        ("conv2d_weight", (x, dy), (shape[2:],)),
    ):
        given = [None if a is None else upload(a) for a in arrays]
        wide = [None if a is None else a.astype(np.float64) for a in arrays]
        want = getattr(common, function)(*wide, *others, *place, groups)
        found = getattr(convolution, function)(*given, *others, *place, groups)
        assert found.dtype == np.float32 and found.shape == want.shape, function
        assert far(found, want) < 1e-5, function


def test_the_layer_uses_the_kernels(card, monkeypatch) -> None:
    launched = []
    real = convolution.launch
    monkeypatch.setattr(convolution, "launch", lambda name, *rest: (launched.append(name), real(name, *rest)))
    layer = mg.nn.Conv2d(3, 4, 3, padding=1).to("cuda")
    x = mg.randn(2, 3, 6, 6, device="cpu").to("cuda").requires_grad_()
    layer(x).square().sum().backward()
    assert sorted(launched) == ["conv2d", "conv2d_input", "conv2d_weight"]
    up = mg.nn.ConvTranspose2d(3, 4, 2, stride=2).to("cuda")
    assert up(x).shape == (2, 4, 12, 12) and launched[-1] == "conv2d_input"


@pytest.mark.parametrize("kind", ["float64", "float16"])
def test_other_dtypes(card, kind) -> None:
    """float64 by the definition, float16 in float32 and rounded once."""
    rng = np.random.default_rng(2)
    x, weight = normal(rng, 1, 2, 5, 5), normal(rng, 3, 2, 3, 3)
    y = F.conv2d(*(mg.tensor(a, device="cpu").to(getattr(mg, kind)).to("cuda") for a in (x, weight)))
    want = F.conv2d(*(mg.tensor(a.astype(kind).astype(np.float64), device="cpu") for a in (x, weight)))
    assert str(y.dtype).endswith(kind) and (y.cpu().double() - want).abs().max() < (
        1e-12 if kind == "float64" else 1e-2
    )


def test_nothing_to_convolve(card) -> None:
    assert F.conv2d(mg.zeros(0, 2, 5, 5, device="cuda"), mg.zeros(3, 2, 3, 3, device="cuda")).shape == (0, 3, 3, 3)


def test_the_same_bits_every_run(card) -> None:
    rng = np.random.default_rng(3)
    x, dy = upload(normal(rng, 8, 3, 12, 12)), upload(normal(rng, 8, 4, 12, 12))
    place = (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1
    first, second = (backend.to_host(convolution.conv2d_weight(x, dy, *place)) for _ in range(2))
    assert (first == second).all()
