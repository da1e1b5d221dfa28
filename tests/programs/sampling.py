"""Programs that read images at computed places: affine_grid and grid_sample in all their modes."""

import itertools
from typing import Any

from programs.common import error_of


def _image(m: Any, *shape: int) -> Any:
    count = 1
    for n in shape:
        count *= n
    return (m.arange(float(count), dtype=m.float64) * 0.7).sin().reshape(shape)


def _places(m: Any, *shape: int) -> Any:
    """Places inside, at the border, beyond it, and far beyond it."""
    count = 1
    for n in shape:
        count *= n
    return (m.arange(float(count), dtype=m.float64) * 1.3 + 0.2).cos().reshape(shape) * 2.6


def _sampled(mode: str, padding_mode: str, align_corners: bool, *size: int) -> Any:
    """Values, and the gradients of the image and of the grid."""

    def program(m: Any) -> Any:
        dims = len(size)
        x = _image(m, 2, 2, *size).requires_grad_()
        grid = _places(m, 2, *((4, 3) if dims == 2 else (2, 1, 3)), dims).requires_grad_()
        y = m.nn.functional.grid_sample(x, grid, mode, padding_mode, align_corners)
        (y * _image(m, *y.shape)).sum().backward()
        return [y.detach(), x.grad, grid.grad]

    return program


CASES = {
    f"{mode}, {padding}{', corners' if align else ''}": _sampled(mode, padding, align, 3, 4)
    for mode, padding, align in itertools.product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)
    )
} | {
    "of volumes": _sampled("bilinear", "reflection", False, 2, 3, 4),
    "nearest of volumes": _sampled("nearest", "zeros", True, 2, 3, 4),
    "of one entry, corners": _sampled("bilinear", "reflection", True, 1, 1),
    "of a line": _sampled("bilinear", "border", False, 1, 5),
}


def affine_grids(m):
    F = m.nn.functional
    theta = _image(m, 2, 2, 3).requires_grad_()
    grids = [F.affine_grid(theta, (2, 3, h, w), align) for h, w in ((3, 4), (1, 5)) for align in (False, True)]
    sum((grid * _image(m, *grid.shape)).sum() for grid in grids).backward()
    solid = F.affine_grid(_image(m, 1, 3, 4), m.Size((1, 1, 2, 1, 3)), align_corners=False)
    return [*[grid.detach() for grid in grids], theta.grad, solid]


def places_that_are_no_numbers(m):
    x = m.arange(12.0).reshape(1, 1, 3, 4)
    bad, far = float("nan"), float("inf")
    grid = m.tensor([[[[bad, 0.0], [far, 0.0], [-far, 0.0], [0.3, bad]]]])
    modes = itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"))
    return [m.nn.functional.grid_sample(x, grid, *how, align_corners=True) for how in modes]


def edges_have_no_slope(m):
    x, found = m.arange(12.0).reshape(1, 1, 3, 4), []
    for padding in ("border", "reflection"):
        grid = m.tensor([[[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [-0.5, 0.5], [2.0, -3.0]]]], requires_grad=True)
        m.nn.functional.grid_sample(x, grid, padding_mode=padding, align_corners=True).sum().backward()
        found.append(grid.grad + 0.0)
    return found


def the_identity_to_the_bit(m):
    """A transform that starts as the identity reads at the entries: the last bit decides on which side of them."""
    F = m.nn.functional
    theta, found = m.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), []
    for n, align in itertools.product((7, 12, 20), (False, True)):
        grid = F.affine_grid(theta, (1, 1, 2, n), align).contiguous().requires_grad_()
        image = (m.arange(2 * n) ** 2 % 97).float().reshape(1, 1, 2, n)
        F.grid_sample(image, grid, align_corners=align).sum().backward()
        found += [grid.detach().view(m.int32), grid.grad]
    return found


def of_nothing(m):
    F = m.nn.functional
    shapes = [((1, 1, 3, 4), (1, 0, 2, 2)), ((0, 1, 3, 4), (0, 2, 2, 2)), ((1, 0, 3, 4), (1, 2, 2, 2))]
    return [F.grid_sample(m.zeros(a), m.zeros(b), align_corners=False) for a, b in shapes]


def errors(m):
    F = m.nn.functional
    x, grid, theta = m.zeros(1, 1, 3, 4), m.zeros(1, 2, 2, 2), m.zeros(1, 2, 3)
    return [
        error_of(call)
        for call in (
            lambda: F.grid_sample(x, m.zeros(1, 2, 2, 3), align_corners=False),
            lambda: F.grid_sample(x, m.zeros(2, 2, 2, 2), align_corners=False),
            lambda: F.grid_sample(x, m.zeros(1, 2, 2), align_corners=False),
            lambda: F.grid_sample(x[0], grid, align_corners=False),
            lambda: F.grid_sample(x, grid.double(), align_corners=False),
            lambda: F.grid_sample(x.long(), grid, align_corners=False),
            lambda: F.grid_sample(x, grid, "foo", align_corners=False),
            lambda: F.grid_sample(x, grid, padding_mode="foo", align_corners=False),
            lambda: F.grid_sample(x[:, :, :0], grid, align_corners=False),
            lambda: F.grid_sample(x[None], m.zeros(1, 1, 2, 2, 3), "bicubic", align_corners=False),
            lambda: F.affine_grid(theta.long(), (1, 1, 2, 2), False),
            lambda: F.affine_grid(theta[:, :, :2], (1, 1, 2, 2), False),
            lambda: F.affine_grid(theta, (1, 2, 2), False),
            lambda: F.affine_grid(theta, (1, 1, 0, 2), False),
            lambda: F.affine_grid(theta, (2, 1, 2, 2), False),
            lambda: F.affine_grid(m.zeros(1, 3, 4), (1, 1, 2, 2), False),
        )
    ]
