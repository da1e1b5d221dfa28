"""Grids of images, and image files."""

import io

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.vision import utils


def test_make_grid_lays_images_side_by_side() -> None:
    x = mg.arange(5 * 3 * 2 * 2).reshape(5, 3, 2, 2).float()
    grid = utils.make_grid(x, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 3 + 1)
    assert grid[:, 1:3, 4:6].equal(x[1]) and grid[:, 4:6, 1:3].equal(x[3])
    assert (grid[:, 0] == -1).all() and (grid[:, 4:6, 7:9] == -1).all()  # the border, and the sixth place
    assert utils.make_grid(list(x), nrow=3, padding=1, pad_value=-1.0).equal(grid)


def test_make_grid_of_grey_and_single_images() -> None:
    one = mg.rand(4, 5)
    for x in (one, one[None], one[None, None]):
        grid = utils.make_grid(x)
        assert grid.shape == (3, 4, 5) and grid[2].equal(one)
    assert utils.make_grid(mg.rand(2, 1, 4, 5)).shape == (3, 8, 16)


def test_make_grid_normalizes() -> None:
    x = mg.tensor([[[0.0, 2.0]], [[4.0, 8.0]]]).reshape(2, 1, 1, 2)
    flat = lambda g: g[0].flatten().tolist()  # noqa: E731
    assert flat(utils.make_grid(x, padding=0, normalize=True)) == [0.0, 0.25, 0.5, 1.0]
    assert flat(utils.make_grid(x, padding=0, normalize=True, scale_each=True)) == [0.0, 1.0, 0.0, 1.0]
    assert flat(utils.make_grid(x, padding=0, normalize=True, value_range=(0, 4))) == [0.0, 0.5, 1.0, 1.0]
    assert x.max() == 8.0  # the input is left as it was
    with pytest.raises(TypeError, match=r"value_range has to be a tuple \(min, max\)"):
        utils.make_grid(x, normalize=True, value_range=4)


def test_make_grid_refuses_other_things() -> None:
    for bad in (3, [1, 2]):
        with pytest.raises(TypeError, match="make_grid takes a Tensor or a list of them"):
            utils.make_grid(bad)
    with pytest.raises(ValueError, match="got shape"):
        utils.make_grid(mg.ones(1, 1, 1, 1, 1))


@pytest.mark.parametrize("name", ["grid.png", "grid.bmp"])
def test_save_image_rounds_to_bytes(tmp_path, name) -> None:
    x = mg.rand(3, 3, 4, 5, requires_grad=True)
    utils.save_image(x, tmp_path / name, nrow=2, padding=1)
    grid = utils.make_grid(x, nrow=2, padding=1)
    expected = (grid * 255 + 0.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    with Image.open(tmp_path / name) as image:
        assert np.array_equal(np.asarray(image), expected)


def test_save_image_to_a_file_object() -> None:
    file = io.BytesIO()
    utils.save_image(mg.ones(1, 2, 2), file, format="png")
    assert Image.open(file).getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ValueError, match="a file object needs format="):
        utils.save_image(mg.ones(1, 2, 2), io.BytesIO())
