"""affine_grid and grid_sample: PyTorch's recorded figures, and what the figures do not show."""

import pytest
from programs.common import check, recorded

import minigrad as mg
from minigrad.gradcheck import gradgradcheck
from minigrad.nn import functional as F

PROGRAMS = recorded("sampling")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_the_second_derivatives_are_right(mode, padding_mode):
    mg.manual_seed(0)
    x = mg.randn(1, 2, 3, 4, dtype=mg.float64, requires_grad=True)
    grid = (mg.rand(1, 2, 3, 2, dtype=mg.float64) * 1.6 - 0.8).requires_grad_()
    assert gradgradcheck(lambda x, grid: F.grid_sample(x, grid, mode, padding_mode, False), (x, grid))


def test_the_identity_transform_gives_the_image_back():
    x = mg.arange(24.0).reshape(1, 2, 3, 4)
    theta = mg.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    for align in (False, True):
        y = F.grid_sample(x, F.affine_grid(theta, x.shape, align), align_corners=align)
        assert y.allclose(x, atol=1e-5)


def test_leaving_align_corners_out_warns_as_pytorch_does():
    with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior has changed") as caught:
        F.grid_sample(mg.zeros(1, 1, 2, 2), F.affine_grid(mg.zeros(1, 2, 3), (1, 1, 2, 2)))
    assert [warning.filename for warning in caught] == [__file__, __file__]
