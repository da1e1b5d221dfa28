"""LeNet, VGG and ResNets: sizes as published, torchvision's names by rule, public files by name, bad input."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from image_checks import check_gradient, check_saving, count, overfit

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from models.cnn import (
    VGG,
    VGG11,
    BasicBlock,
    LeNet,
    LeNetConfig,
    ResNet,
    ResNetConfig,
    VGGConfig,
    cifar_resnet,
    load_cifar_resnet,
    resnet18,
)  # fmt: skip
from models.weights import load_weights, read_weights


def tiny(kind: str) -> nn.Module:
    if kind == "lenet":
        return LeNet(LeNetConfig(1, 12, (4, 8), (16, 12), 3))
    if kind == "vgg":
        return VGG(VGGConfig((4, "M", 6, "M"), True, 8, 0.0, 1, 12, 3))
    return ResNet(ResNetConfig((1, 1), 4, kind != "stem", "A" if kind == "a" else "B", 1, 3))


KINDS = ["lenet", "vgg", "a", "b", "stem"]


def batch(n: int = 6, dtype=mg.float32) -> tuple[mg.Tensor, mg.Tensor]:
    return mg.rand(n, 1, 12, 12, dtype=dtype), mg.randint(3, (n,))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind: str) -> None:
    mg.manual_seed(1)
    model = tiny(kind).double()
    x, y = batch(dtype=mg.float64)
    check_gradient(model, lambda: F.cross_entropy(model(x), y), step=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_one_batch_is_learnt_by_heart(kind: str) -> None:
    model = tiny(kind)
    x, y = batch()
    assert overfit(model, lambda: F.cross_entropy(model(x), y), 150, 0.01) < 0.1
    assert (model(x).argmax(1) == y).all()


@pytest.mark.parametrize("kind", KINDS)
def test_saving(kind: str, tmp_path) -> None:
    x, _ = batch()
    model = tiny(kind)
    model(x)  # moves the running statistics
    check_saving(model, tiny(kind), lambda m: m(x), tmp_path)


def test_parameters_are_as_many_as_published() -> None:
    assert count(LeNet()) == 61_706
    for depth, expected in ((20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018)):
        assert count(cifar_resnet(depth)) == expected  # 0.27, 0.46, 0.66, 0.85 million in the paper
        assert count(cifar_resnet(depth, shortcut="B")) == expected + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert count(VGG(VGGConfig(VGG11, hidden=512, dropout=0.5))) == 9_756_426  # the public vgg11_bn for CIFAR-10


def parameters_of_vgg11() -> int:
    """By the shapes alone: the model itself would take half a gigabyte."""
    channels = [3, *(c for c in VGG11 if c != "M")]
    convolutions = sum(a * b * 9 + b for a, b in pairwise(channels))
    sizes = [512 * 7 * 7, 4096, 4096, 1000]
    return convolutions + sum(a * b + b for a, b in pairwise(sizes))


def test_vgg11_would_have_torchvisions_size() -> None:
    assert parameters_of_vgg11() == 132_863_336
    small = VGG(VGGConfig((4, "M", 6, "M"), False, 8, image_size=12))
    assert count(small) == (3 * 4 * 9 + 4) + (4 * 6 * 9 + 6) + (6 * 9 * 8 + 8) + (8 * 8 + 8) + (8 * 10 + 10)


def torchvision_names(blocks: tuple[int, ...], head: str = "fc", projections: bool = True) -> list[str]:
    """The rule by which torchvision's ResNets of basic blocks name their state."""

    def norm(name: str) -> list[str]:
        return [f"{name}.{x}" for x in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]

    names = ["conv1.weight", *norm("bn1")]
    for stage, number in enumerate(blocks, 1):
        for block in range(number):
            path = f"layer{stage}.{block}"
            names += [f"{path}.conv1.weight", *norm(f"{path}.bn1"), f"{path}.conv2.weight", *norm(f"{path}.bn2")]
            if stage > 1 and block == 0 and projections:
                names += [f"{path}.downsample.0.weight", *norm(f"{path}.downsample.1")]
    return [*names, f"{head}.weight", f"{head}.bias"]


def test_names_are_torchvisions() -> None:
    model = resnet18()
    assert count(model) == 11_689_512
    assert list(model.state_dict()) == torchvision_names((2, 2, 2, 2)) and len(model.state_dict()) == 122
    shapes = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7) and shapes["layer4.0.downsample.0.weight"] == (512, 256, 1, 1)
    assert shapes["layer3.1.conv2.weight"] == (256, 256, 3, 3) and shapes["fc.weight"] == (1000, 512)
    with mg.no_grad():
        small = ResNet(ResNetConfig(width=4, num_classes=5)).eval()
        assert small(mg.rand(2, 3, 64, 64)).shape == (2, 5)
    vgg = list(VGG(VGGConfig((4, "M"), False, 8, image_size=8)).state_dict())
    assert vgg == [f"{part}.{x}" for part in ("features.0", "classifier.0", "classifier.3", "classifier.6")
                   for x in ("weight", "bias")]  # fmt: skip


def test_names_are_those_of_the_public_cifar_files() -> None:
    assert list(cifar_resnet(32).state_dict()) == torchvision_names((5, 5, 5), "linear", projections=False)
    assert list(cifar_resnet(44, shortcut="B").state_dict()) == torchvision_names((7, 7, 7))


def test_shortcut_a_by_hand() -> None:
    block = BasicBlock(4, 8, 2, "A")
    x = mg.rand(1, 4, 6, 6)
    y = block.downsample(x)
    assert y.shape == (1, 8, 3, 3) and (y[:, :2] == 0).all() and (y[:, 6:] == 0).all()
    assert y[:, 2:6].equal(x[:, :, ::2, ::2])


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("form", ["plain", "wrapped", "other names", "old"])
def test_public_files_load_by_name(tmp_path, shortcut: str, form: str) -> None:
    model = cifar_resnet(20, 7, shortcut)
    x = mg.rand(2, 3, 32, 32)
    model(x)
    state = {name: value.clone() for name, value in model.eval().state_dict().items()}
    saved: dict = dict(state)
    if form == "wrapped":
        saved = {"state_dict": {f"module.{name}": x for name, x in state.items()}, "best_prec1": 91.7, "epoch": 200}
    elif form == "other names":
        other = {"linear": "fc", "fc": "linear", "downsample": "shortcut"}
        saved = {"net": {".".join(other.get(p, p) for p in name.split(".")): x for name, x in state.items()}}
    elif form == "old":
        saved = {name: x for name, x in state.items() if not name.endswith("num_batches_tracked")}
    path = tmp_path / "resnet.pth"
    mg.save(saved, path)
    with mg.no_grad():
        expected = model(x)
        assert load_weights(cifar_resnet(20, 7, shortcut), path).eval()(x).equal(expected)
        found = load_cifar_resnet(path)
        assert found.config == model.config and found.eval()(x).equal(expected)


@pytest.mark.parametrize("suffix", ["", "_legacy"])
def test_a_checkpoint_of_torch_is_unwrapped(suffix: str) -> None:
    path = Path(__file__).parent.parent / "recorded" / "pt" / f"checkpoint{suffix}.pt"
    weights, whole = read_weights(path), mg.load(path)
    assert weights and list(weights) == list(whole["model"])
    assert all(x.equal(whole["model"][name]) for name, x in weights.items())


def test_weights_that_do_not_fit_show_both_lists(tmp_path) -> None:
    path = tmp_path / "b.pth"
    mg.save(cifar_resnet(20, shortcut="B").state_dict(), path)
    model = cifar_resnet(32)
    before = model.conv1.weight.clone()
    with pytest.raises(RuntimeError) as raised:
        load_weights(model, path)
    message = str(raised.value)
    assert f"the weights in {path} do not fit this ResNet" in message
    only_model, only_file = message.split("only the file has")
    assert "only the model has" in only_model and "layer1.3.conv1.weight" in only_model
    assert "layer2.0.downsample.0.weight" in only_file and "layer1.3" not in only_file
    assert model.conv1.weight.equal(before)
    with pytest.raises(RuntimeError, match=r"fc.weight: \(3, 64\) and \(10, 64\)"):
        load_weights(cifar_resnet(20, 3, "B"), path)


def test_files_without_weights(tmp_path) -> None:
    path = tmp_path / "x.pth"
    mg.save({"epoch": 3, "lr": 0.1}, path)
    with pytest.raises(RuntimeError, match="holds no weights: .* it is a dict with 'epoch', 'lr'"):
        read_weights(path)
    mg.save([mg.ones(2)], path)
    with pytest.raises(RuntimeError, match="it is list"):
        read_weights(path)
    mg.save(LeNet().state_dict(), path)
    with pytest.raises(RuntimeError, match="is no CIFAR ResNet: .* found conv1.weight, conv1.bias, conv2.weight"):
        load_cifar_resnet(path)
    mg.save(ResNet(ResNetConfig(width=2)).state_dict(), path)
    with pytest.raises(RuntimeError, match="is no CIFAR ResNet"):
        load_cifar_resnet(path)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_images_are_named(kind: str) -> None:
    model = tiny(kind)
    for bad in (mg.rand(2, 3, 12, 12), mg.rand(1, 12, 12), mg.zeros(2, 1, 12, 12, dtype=mg.uint8)):
        with pytest.raises(ValueError, match=r"expected floating images of shape \(N, 1, .*\), got"):
            model(bad)


def test_impossible_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"depth has to be 6 n \+ 2, such as 20, 32, 44 or 56, got 18"):
        cifar_resnet(18)
    with pytest.raises(ValueError, match='shortcut is "A" .* or "B" .*, got \'C\''):
        cifar_resnet(20, shortcut="C")
    with pytest.raises(ValueError, match="at least 12 x 12 pixels, got image_size 8"):
        LeNet(LeNetConfig(image_size=8))
    with pytest.raises(ValueError, match="images of 4 pixels are too small for 3 poolings"):
        VGG(VGGConfig(image_size=4))


def test_lenet_learns_digits() -> None:
    images = mg.data.Digits()
    x = F.pad(mg.tensor(images.pixels()[:400]).unsqueeze(1), (2, 2, 2, 2))
    y = mg.tensor(images.labels[:400])
    model = LeNet(LeNetConfig(image_size=12))
    overfit(model, lambda: F.cross_entropy(model(x[:320]), y[:320]), 40, 0.01)
    assert np.mean((model(x[320:]).argmax(1) == y[320:]).numpy()) > 0.7
