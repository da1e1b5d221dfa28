"""Transforms: values worked out by hand, the same for Pillow images, arrays and tensors; the order of draws."""

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.vision import functional as F, images, resample, transforms as T

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def kinds(array: np.ndarray) -> list:
    """The image as an array, a Pillow image and a tensor."""
    tensor = mg.tensor(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
    return [array, Image.fromarray(array), tensor]


def values(image) -> np.ndarray:
    """(channels, height, width) of any kind."""
    array = image.numpy() if isinstance(image, mg.Tensor) else np.asarray(image)
    if isinstance(image, mg.Tensor):
        return array
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def test_to_tensor() -> None:
    for image in kinds(GREY)[:2]:
        x = T.ToTensor()(image)
        assert x.shape == (1, 3, 4) and x.dtype is mg.float32
        assert x[0].equal(mg.tensor(GREY).float() / 255)
    assert T.ToTensor()(COLOUR).equal(mg.tensor(COLOUR).permute(2, 0, 1).float().div(255))
    assert T.ToTensor()(COLOUR.astype(np.float64)).dtype is mg.float64
    assert T.ToTensor()(Image.fromarray(GREY > 100)).unique().tolist() == [0.0, 1.0]
    palette = Image.fromarray(COLOUR).convert("P")
    assert T.ToTensor()(palette).shape == (3, 5, 7)
    assert T.ToTensor()(Image.fromarray(np.array([[70000]], np.int32))).dtype is mg.int32
    assert T.PILToTensor()(Image.fromarray(COLOUR)).equal(mg.tensor(COLOUR).permute(2, 0, 1))
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        T.ToTensor()(mg.ones(1))
    with pytest.raises(TypeError, match="expected a Tensor, a NumPy array or a Pillow image, got int"):
        T.ToTensor()(3)
    with pytest.raises(ValueError, match="an image array is"):
        T.ToTensor()(np.zeros(3))


def test_to_pil_image_is_its_inverse() -> None:
    for array in (GREY, COLOUR):
        back = T.ToPILImage()(T.ToTensor()(array))
        assert np.array_equal(np.asarray(back), array)
        assert np.array_equal(np.asarray(F.to_pil_image(array)), array)
    assert T.ToPILImage("RGB")(mg.ones(1, 2, 2)).mode == "RGB"
    with pytest.raises(ValueError, match="pic has 2 channels"):
        F.to_pil_image(mg.ones(2, 3, 3))
    with pytest.raises(ValueError, match="2/3 dimensional. Got 4"):
        F.to_pil_image(mg.ones(1, 1, 3, 3))
    with pytest.raises(TypeError, match="pic should be Tensor or ndarray"):
        F.to_pil_image("x")


def test_normalize() -> None:
    x = mg.rand(3, 2, 2)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.5, 1.0)
    y = T.Normalize(mean, std)(x)
    assert y[1].allclose((x[1] - 0.4) / 0.5) and T.Normalize((0.5,), (0.5,))(x).allclose(x * 2 - 1)
    z = T.Normalize(mean, std, inplace=True)(x)
    assert z is x and z.equal(y)
    for bad, error in [
        (mg.ones(3, 2, 2).byte(), "Input tensor should be a float tensor"), (GREY, "img should be Tensor Image"),
        (mg.ones(2, 2), "Expected tensor to be a tensor image"),
    ]:  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=error):
            T.Normalize(mean, std)(bad)
    with pytest.raises(ValueError, match="std evaluated to zero"):
        T.Normalize(mean, (0.2, 0.0, 1.0))(x)


@pytest.mark.parametrize(
    ("transform", "by_hand"),
    [
        (T.CenterCrop(2), GREY[0:2, 1:3]),  # round(0.5) is 0
        (T.CenterCrop((1, 4)), GREY[1:2]),
        (T.CenterCrop((5, 2)), np.pad(GREY, ((1, 1), (0, 0)))[:, 1:3]),
        (T.RandomHorizontalFlip(1.0), GREY[:, ::-1]),
        (T.RandomVerticalFlip(1.0), GREY[::-1]),
        (T.RandomHorizontalFlip(0.0), GREY),
        (T.Pad(1), np.pad(GREY, 1)),
        (T.Pad((1, 2), fill=7), np.pad(GREY, ((2, 2), (1, 1)), constant_values=7)),
        (T.Pad((1, 0, 2, 3), padding_mode="edge"), np.pad(GREY, ((0, 3), (1, 2)), mode="edge")),
        (T.Pad(1, padding_mode="reflect"), np.pad(GREY, 1, mode="reflect")),
        (T.RandomCrop((3, 4)), GREY),
        (T.RandomCrop((5, 4), pad_if_needed=True), np.pad(GREY, ((2, 2), (0, 0)))),
    ],
    ids=repr,
)
def test_geometry(transform, by_hand) -> None:
    if transform.__class__ is T.RandomCrop and transform.pad_if_needed:
        mg.manual_seed(0)
        top = mg.randint(0, 3, (1,)).item()
        by_hand = by_hand[top : top + 5]
    for image in kinds(GREY):
        mg.manual_seed(0)
        out = transform(image)
        assert type(out) is type(image) or isinstance(out, Image.Image)
        assert np.array_equal(values(out)[0], by_hand)
    for image in kinds(COLOUR):
        assert images.channels_of(transform.__class__(2)(image) if isinstance(transform, T.CenterCrop) else image) == 3


def test_random_crop_and_flip_draw_as_torchvision_does() -> None:
    """Row, column, each by randint; the flip by one rand."""
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    mg.manual_seed(5)
    top, left = mg.randint(0, 9, (1,)).item(), mg.randint(0, 9, (1,)).item()
    flips = [mg.rand(1).item() < 0.5 for _ in range(4)]
    mg.manual_seed(5)
    assert np.array_equal(T.RandomCrop(4, padding=2)(image), np.pad(image, 2)[top : top + 4, left : left + 4])
    assert [bool(np.array_equal(T.RandomHorizontalFlip()(image), image[:, ::-1])) for _ in range(4)] == flips
    with pytest.raises(ValueError, match=r"Required crop size \(9, 9\) is larger than input image size \(8, 8\)"):
        T.RandomCrop(9)(image)
    with pytest.raises(ValueError, match="p is a probability"):
        T.RandomHorizontalFlip(1.5)


def test_resize_chooses_the_size() -> None:
    for image in kinds(COLOUR):  # 5 x 7
        assert images.size_of(T.Resize((3, 4))(image)) == (3, 4)
        assert images.size_of(T.Resize(10)(image)) == (10, 14)
        assert images.size_of(T.Resize([10], max_size=12)(image)) == (8, 12)
        assert T.Resize((5, 7))(image) is image
    assert images.size_of(T.Resize(4)(COLOUR.transpose(1, 0, 2))) == (5, 4)
    with pytest.raises(ValueError, match="max_size = 4 must be strictly greater"):
        T.Resize(5, max_size=4)(COLOUR)
    with pytest.raises(ValueError, match="max_size goes with"):
        T.Resize((5, 5), max_size=9)(COLOUR)
    with pytest.raises(ValueError, match="1 or 2 values"):
        T.Resize((1, 2, 3))
    with pytest.raises(TypeError, match="Size should be int or sequence"):
        T.Resize(2.5)
    with pytest.raises(TypeError, match="interpolation is one of"):
        T.Resize(2, interpolation=2)(COLOUR)


@pytest.mark.parametrize("mode", list(T.InterpolationMode))
@pytest.mark.parametrize("size", [(3, 4), (9, 11), (5, 3)])
def test_our_resize_agrees_with_pillows(mode, size) -> None:
    ours = F.resize(COLOUR, size, mode)
    theirs = np.asarray(F.resize(Image.fromarray(COLOUR), size, mode))
    if mode is T.InterpolationMode.NEAREST:
        rows, columns = (np.arange(n) * m // n for n, m in zip(size, COLOUR.shape, strict=False))
        assert np.array_equal(ours, COLOUR[rows][:, columns])  # PyTorch's rule; Pillow takes the nearest centre
    else:
        assert np.abs(ours.astype(int) - theirs).max() <= 1  # Pillow weighs in whole numbers
    assert values(F.resize(kinds(COLOUR)[2], size, mode)).tolist() == ours.transpose(2, 0, 1).tolist()


def test_resize_by_hand() -> None:
    row = np.array([[0.0, 4.0, 8.0, 12.0]])
    # halved: each output is a mean of triangle weights 1/8, 3/8, 3/8, 1/8, cut at the edge
    left = (3 * 0 + 3 * 4 + 1 * 8) / 7
    assert np.allclose(resample.resize(row, 0, (1, 2), "bilinear"), [[left, 12 - left]])
    assert np.allclose(resample.resize(row, 0, (1, 2), "bilinear", antialias=False), [[2.0, 10.0]])
    assert np.allclose(resample.resize(row[:, :2], 0, (1, 4), "bilinear"), [[0.0, 1.0, 3.0, 4.0]])
    assert resample.resize(np.full((4, 4), 255, np.uint8), 0, (9, 3), "bicubic").tolist() == [[255] * 3] * 9


def test_grayscale() -> None:
    luminance = COLOUR @ np.array([0.2989, 0.587, 0.114])
    for image in kinds(COLOUR):
        one, three = T.Grayscale()(image), T.Grayscale(3)(image)
        assert images.channels_of(one) == 1 and images.channels_of(three) == 3
        assert np.abs(values(one)[0] - luminance).max() <= 1.0
        assert np.array_equal(values(three)[2], values(one)[0])
    assert T.Grayscale()(mg.ones(1, 2, 2)).equal(mg.ones(1, 2, 2))
    with pytest.raises(ValueError, match="either 1 or 3"):
        T.Grayscale(2)(COLOUR)
    with pytest.raises(TypeError, match="1 or 3, but found 2"):
        T.Grayscale()(mg.ones(2, 4, 4))


def test_compose_lambda_and_texts() -> None:
    chain = T.Compose([T.Resize(2), T.ToTensor(), T.Normalize((0.5,), (0.5,)), T.Lambda(lambda x: x * 2)])
    assert chain(GREY).shape == (1, 2, 2)
    assert repr(chain).splitlines() == [
        "Compose(", "    Resize(size=2, interpolation=bilinear, max_size=None, antialias=True)", "    ToTensor()",
        "    Normalize(mean=(0.5,), std=(0.5,))", "    Lambda()", ")",
    ]  # fmt: skip
    assert repr(T.RandomCrop(32, padding=4)) == "RandomCrop(size=(32, 32), padding=4)"
    assert repr(T.RandomHorizontalFlip()) == "RandomHorizontalFlip(p=0.5)" and repr(T.ToPILImage()) == "ToPILImage()"
    with pytest.raises(TypeError, match="Argument lambd should be callable, got 'int'"):
        T.Lambda(3)
    assert F.get_image_size(GREY) == [4, 3] and F.get_dimensions(COLOUR) == [3, 5, 7]


def test_without_pillow_arrays_take_its_place(monkeypatch) -> None:
    monkeypatch.setattr(images, "HAS_PILLOW", False)
    assert images.shown(GREY) is GREY and not images.is_pillow(Image.fromarray(GREY))
    assert T.Compose([T.Resize(2), T.ToTensor()])(GREY).shape == (1, 2, 2)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"to_pil_image needs Pillow: pip install 'minigrad\[examples\]'"):
        T.ToPILImage()(mg.ones(1, 2, 2))
