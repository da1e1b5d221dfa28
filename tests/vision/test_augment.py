"""Augmentation: each image of a batch is treated by itself, the seed decides, kinds stay, bad input is named."""

import math

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.vision import augment as A, channel_statistics, functional, mixing as M, transforms as T

BYTES = np.random.default_rng(0).integers(1, 256, (64, 3, 8, 10), dtype=np.uint8)
CALLS = {
    "random_crop": lambda x, g=None: A.random_crop(x, padding=2, generator=g),
    "random_horizontal_flip": lambda x, g=None: A.random_horizontal_flip(x, generator=g),
    "random_rotation": lambda x, g=None: A.random_rotation(x, 30, generator=g),
    "random_erasing": lambda x, g=None: A.random_erasing(x, generator=g),
    "cutout": lambda x, g=None: A.cutout(x, 4, generator=g),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_seed_decides_and_kinds_stay(name: str) -> None:
    call, before = CALLS[name], BYTES.copy()
    mg.manual_seed(5)
    out = call(BYTES)
    assert out.dtype == np.uint8 and out.shape == BYTES.shape and not np.array_equal(out, BYTES)
    mg.manual_seed(5)
    tensor = call(mg.tensor(BYTES))
    assert isinstance(tensor, mg.Tensor) and np.array_equal(tensor.numpy(), out)
    a, b, c = (call(BYTES / np.float32(255), mg.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert a.dtype == np.float32 and np.array_equal(a, b) and not np.array_equal(a, c)
    assert np.array_equal(BYTES, before)
    assert call(BYTES[:0]).shape == (0, 3, 8, 10)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_batch_is_refused(name: str) -> None:
    call = CALLS[name]
    with pytest.raises(ValueError, match=r"got shape \(3, 8, 10\): write images\[:, None\] for grey ones"):
        call(BYTES[0])
    with pytest.raises(ValueError, match=r"looks like \(N, H, W, C\): permute\(0, 3, 1, 2\)"):
        call(BYTES.transpose(0, 2, 3, 1))
    with pytest.raises(TypeError, match="images are bytes \\(uint8\\) or floats, got int64"):
        call(BYTES.astype(np.int64))
    with pytest.raises(TypeError, match="expected a Tensor or an array .* got list"):
        call([1])


def test_crop_takes_a_part_of_each_image_and_its_border() -> None:
    out = A.random_crop(BYTES, padding=1)
    padded = np.pad(BYTES, ((0, 0), (0, 0), (1, 1), (1, 1)))
    places = []
    for image, around in zip(out, padded, strict=True):
        found = [(i, j) for i in range(3) for j in range(3) if np.array_equal(around[:, i : i + 8, j : j + 10], image)]
        assert len(found) == 1
        places += found
    assert set(places) == {(i, j) for i in range(3) for j in range(3)}  # 64 images, nine places
    assert A.random_crop(BYTES, 0, size=(3, 4)).shape == (64, 3, 3, 4)
    assert np.array_equal(A.random_crop(BYTES, 0), BYTES)
    with pytest.raises(
        ValueError, match=r"a crop of \(12, 12\) does not fit into images of \(8, 10\) with a border of 1"
    ):
        A.random_crop(BYTES, 1, size=12)


def test_flip() -> None:
    out = A.random_horizontal_flip(BYTES)
    same, flipped = ((out == x).all((1, 2, 3)) for x in (BYTES, BYTES[..., ::-1]))
    assert (same ^ flipped).all() and 16 < flipped.sum() < 48
    assert np.array_equal(A.random_horizontal_flip(BYTES, 1.0), BYTES[..., ::-1])
    with pytest.raises(ValueError, match="p is a probability, got 2"):
        A.random_horizontal_flip(BYTES, 2)


def test_rotation_by_right_angles_is_exact() -> None:
    square = BYTES[..., :8]
    for mode in ("nearest", "bilinear"):
        for turns in range(4):
            out = A.random_rotation(square, (90.0 * turns, 90.0 * turns), mode)
            assert np.array_equal(out, np.rot90(square, turns, axes=(2, 3)))  # against the clock, as np.rot90
    assert np.array_equal(functional.rotate(mg.tensor(BYTES), 90, expand=True).numpy(), np.rot90(BYTES, 1, (2, 3)))


@pytest.mark.parametrize("mode", [T.InterpolationMode.NEAREST, T.InterpolationMode.BILINEAR])
def test_rotation_agrees_with_pillows(mode) -> None:
    image = np.asarray(Image.fromarray(BYTES[0].transpose(1, 2, 0)).resize((40, 30)))
    for expand, center, fill in ((False, None, 7), (True, None, 0), (False, (5, 9), 0)):
        ours = functional.rotate(image, 25.0, mode, expand, center, fill)
        theirs = np.asarray(
            Image.fromarray(image).rotate(
                25.0, getattr(Image.Resampling, mode.name), expand, center, fillcolor=(fill,) * 3
            )
        )
        assert abs(ours.shape[0] - theirs.shape[0]) <= 1 and abs(ours.shape[1] - theirs.shape[1]) <= 1
        if ours.shape == theirs.shape:  # at the rim Pillow takes the nearest pixel in place of the fill
            assert (np.abs(ours.astype(int) - theirs) <= 1).mean() > 0.9
        tensor = functional.rotate(mg.tensor(image.transpose(2, 0, 1).copy()), 25.0, mode, expand, center, fill)
        assert np.array_equal(tensor.numpy().transpose(1, 2, 0), ours)
    assert functional.rotate(image[..., 0], 25.0).shape == (30, 40)
    assert functional.rotate(Image.fromarray(image), 25.0).size == (40, 30)


def test_erasing_and_cutout() -> None:
    out = A.random_erasing(BYTES, p=0.5, scale=(0.1, 0.4))
    gone = (out == 0).all(1)
    assert np.array_equal(
        out[~np.broadcast_to(gone[:, None], out.shape)], BYTES[~np.broadcast_to(gone[:, None], out.shape)]
    )
    assert 16 < gone.any((1, 2)).sum() < 48
    for mask in gone[gone.any((1, 2))]:  # one full rectangle
        rows, columns = mask.any(1), mask.any(0)
        assert mask.sum() == rows.sum() * columns.sum() and np.diff(np.flatnonzero(rows)).max(initial=1) == 1
        assert 4 <= mask.sum() <= 44
    assert (A.random_erasing(BYTES, p=1.0, scale=(1, 1), ratio=(0.8, 0.8), value=9) == 9).mean() > 0.8
    square = (A.cutout(BYTES, 4) == 0).all(1).sum((1, 2))
    assert square.max() == 16 and 4 <= square.min() < 16
    with pytest.raises(ValueError, match="size must be at least 1 pixel"):
        A.cutout(BYTES, 0)
    with pytest.raises(ValueError, match=r"scale is a part of \[0, 1\] and ratio positive"):
        A.random_erasing(BYTES, scale=(0.5, 0.1))


def test_random_erasing_of_one_image_draws_as_torchvision_does() -> None:
    x = mg.rand(3, 12, 9) + 1
    mg.manual_seed(4)
    assert mg.rand(1).item() < 1.0
    area = 108 * mg.empty(1).uniform_(0.1, 0.3).item()
    aspect = math.exp(mg.empty(1).uniform_(math.log(0.5), math.log(2.0)).item())
    h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    top, left = mg.randint(0, 12 - h + 1, (1,)).item(), mg.randint(0, 9 - w + 1, (1,)).item()
    mg.manual_seed(4)
    erasing = T.RandomErasing(1.0, (0.1, 0.3), (0.5, 2.0), value=(1, 2, 3))
    expected = x.clone()
    expected[:, top : top + h, left : left + w] = mg.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
    assert erasing(x).equal(expected)
    assert T.RandomErasing(0.0)(x) is x
    noisy = T.RandomErasing(1.0, value="random")(x)
    assert (noisy != x).any() and (noisy < 1).any()
    y = x.clone()
    assert T.RandomErasing(1.0, inplace=True)(y) is y and (y == 0).any()
    assert repr(T.RandomErasing()) == (
        "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)"
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: T.RandomErasing(p=2), ValueError, "probability should be between 0 and 1"),
        (lambda: T.RandomErasing(scale=(0.5, 2)), ValueError, "Scale should be between 0 and 1"),
        (lambda: T.RandomErasing(scale=0.5), TypeError, "Scale should be a sequence"),
        (lambda: T.RandomErasing(value="noise"), ValueError, "If value is str, it should be 'random'"),
        (lambda: T.RandomErasing(1.0, value=(1, 2))(mg.ones(3, 4, 4)), ValueError, "a single value or 3"),
        (lambda: T.RandomErasing(1.0)(BYTES[0, 0]), TypeError, "RandomErasing takes a Tensor, got ndarray"),
        (lambda: T.RandomRotation(-1), ValueError, "If degrees is a single number, it must be positive"),
        (lambda: T.RandomRotation((1, 2, 3)), ValueError, "degrees should be a sequence of length 2"),
        (lambda: functional.rotate(BYTES[0, 0], 3, T.InterpolationMode.BICUBIC), ValueError, "NEAREST or BILINEAR"),
        (lambda: functional.rotate(BYTES[0, 0], "3"), TypeError, "angle should be int or float"),
        (lambda: A.random_rotation(BYTES, (3, 1)), ValueError, "degrees go from low to high"),
        (lambda: A.random_rotation(BYTES, 3, "cubic"), ValueError, '"nearest" or "bilinear"'),
    ],
)
def test_transforms_refuse(make, error, message) -> None:
    with pytest.raises(error, match=message):
        make()


def test_random_rotation_draws_one_uniform() -> None:
    mg.manual_seed(2)
    angle = mg.empty(1).uniform_(-20.0, 20.0).item()
    mg.manual_seed(2)
    assert np.array_equal(T.RandomRotation(20)(BYTES[0, 0]), functional.rotate(BYTES[0, 0], angle))
    assert repr(T.RandomRotation(5)) == (
        "RandomRotation(degrees=[-5.0, 5.0], interpolation=nearest, expand=False, fill=0)"
    )


IMAGES = mg.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 8, 8).contiguous()  # image i is i everywhere
LABELS = mg.tensor([0, 1, 2, 2])


def test_mixup() -> None:
    images, labels = M.mixup(IMAGES, LABELS, 3, alpha=0.4)
    share = 1 - (images[0, 0, 0, 0].item() - 0) / 3  # image 0 and its partner, image 3
    assert images[:, 0, 0, 0].tolist() == pytest.approx([3 * (1 - share), share, 1 + share, 2 + share], abs=1e-6)
    assert labels[1].tolist() == pytest.approx([1 - share, share, 0], abs=1e-6) and labels[3].tolist() == pytest.approx(
        [0, 0, 1]
    )
    assert F.cross_entropy(mg.zeros(4, 3), labels).item() == pytest.approx(math.log(3))
    again, soft = M.mixup(IMAGES.numpy(), F.one_hot(LABELS, 3).float(), generator=mg.Generator().manual_seed(1))
    assert again.shape == IMAGES.shape and soft.sum(1).allclose(mg.ones(4))


def test_cutmix() -> None:
    for _ in range(20):
        images, labels = M.cutmix(IMAGES, LABELS, 3)
        for i in range(4):
            own, other = (images[i] == i).float().mean().item(), (images[i] == (i - 1) % 4).float().mean().item()
            assert own + other == pytest.approx(1.0)
            expected = own * F.one_hot(LABELS, 3)[i] + other * F.one_hot(LABELS, 3)[i - 1]
            assert labels[i].allclose(expected.float())
    transform = T.CutMix(alpha=0.5, num_classes=3)
    assert repr(transform) == "CutMix(alpha=0.5, num_classes=3)" and transform(IMAGES, LABELS)[1].shape == (4, 3)
    assert T.MixUp(num_classes=3)(IMAGES, LABELS)[0].shape == IMAGES.shape


def test_the_share_is_from_a_beta_distribution() -> None:
    draw = mg.Generator().manual_seed(0)
    for alpha in (0.2, 1.0, 4.0):
        x = np.array([M._beta(alpha, draw) for _ in range(3000)])
        assert abs(x.mean() - 0.5) < 0.03
        assert x.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
    assert 0 <= M._beta(1e-3, draw) <= 1  # both gamma variates underflow


def test_mixing_refuses() -> None:
    with pytest.raises(TypeError, match="images have to be floats .* divide bytes by 255 first"):
        M.mixup(IMAGES.byte(), LABELS, 3)
    with pytest.raises(ValueError, match="labels reach from 0 to 2, classes are 0 to 1"):
        M.cutmix(IMAGES, LABELS, 2)
    with pytest.raises(ValueError, match="num_classes is needed"):
        M.mixup(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"got shape \(3,\) for 4 images"):
        M.mixup(IMAGES, LABELS[:3], 3)
    with pytest.raises(ValueError, match="alpha must be positive, got 0"):
        T.MixUp(alpha=0)


def test_smooth_labels_are_what_the_loss_smooths() -> None:
    logits = mg.randn(4, 3)
    target = M.smooth_labels(LABELS, 3, 0.2)
    assert target[0].tolist() == pytest.approx([0.8 + 0.2 / 3, 0.2 / 3, 0.2 / 3])
    smoothed = F.cross_entropy(logits, LABELS, label_smoothing=0.2)
    assert F.cross_entropy(logits, target).item() == pytest.approx(smoothed.item(), rel=1e-6)
    with pytest.raises(TypeError, match=r"labels are class numbers \(N,\), got minigrad.float32|torch.float32"):
        M.smooth_labels(logits, 3)
    with pytest.raises(ValueError, match="smoothing must be between 0 and 1"):
        M.smooth_labels(LABELS, 3, 1.5)


def test_channel_statistics() -> None:
    mean, std = channel_statistics(BYTES)
    scaled = BYTES / 255
    assert mean == pytest.approx(scaled.mean((0, 2, 3)), rel=1e-12)
    assert std == pytest.approx(scaled.std((0, 2, 3)), rel=1e-9)
    assert np.allclose(channel_statistics(mg.tensor(scaled.astype(np.float32))), (mean, std), rtol=1e-6)
    assert channel_statistics(BYTES[:, 0]) == ((mean[0],), (std[0],))
    x = T.Normalize(mean, std)(mg.tensor(BYTES).float() / 255)
    assert abs(x.mean().item()) < 1e-5 and x.var(correction=0).item() == pytest.approx(1, rel=1e-4)

    class Split:
        def __init__(self, train: bool):
            self.train, self.images = train, BYTES

    assert channel_statistics(Split(True)) == (mean, std)
    with pytest.raises(ValueError, match="statistics come from the training split alone"):
        channel_statistics(Split(False))
    with pytest.raises(ValueError, match=r"floats have to be in \[0, 1\], got"):
        channel_statistics(x)
    with pytest.raises(ValueError, match="there are no pixels"):
        channel_statistics(BYTES[:0])
