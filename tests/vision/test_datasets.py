"""Datasets: files made by hand in each layout that there is, and the samples that come out of them."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.vision import datasets, transforms as T


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize("kind", [datasets.MNIST, datasets.FashionMNIST])
@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_in_torchvisions_folders(tmp_path, kind, zipped) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([3, 1, 4, 1, 5])
    folder = tmp_path / kind.__name__ / "raw"
    folder.mkdir(parents=True)
    for name, array in (("t10k-images-idx3-ubyte", images), ("t10k-labels-idx1-ubyte", labels)):
        (folder / f"{name}.gz" if zipped else folder / name).write_bytes(
            gzip.compress(idx(array)) if zipped else idx(array)
        )
    data = kind(root=tmp_path, train=False)
    assert len(data) == 5 and data.data.shape == (5, 28, 28) and data.targets.tolist() == [3, 1, 4, 1, 5]
    image, label = data[2]
    assert isinstance(image, Image.Image) and image.size == (28, 28) and label == 4 and type(label) is int
    assert np.array_equal(np.asarray(image), images[2]) and data[mg.tensor(-1)][1] == 5
    ready = kind(str(tmp_path), False, T.ToTensor(), lambda y: y + 1)
    x, y = next(iter(mg.data.DataLoader(ready, batch_size=5)))
    assert x.shape == (5, 1, 28, 28) and x[1, 0].equal(mg.tensor(images[1]).float() / 255)
    assert y.tolist() == [4, 2, 5, 2, 6] and len(kind.classes) == 10 and ready.class_to_idx[kind.classes[3]] == 3
    assert repr(ready).splitlines()[:4] == [
        f"Dataset {kind.__name__}", "    Number of datapoints: 5", f"    Root location: {tmp_path}", "    Split: Test",
    ]  # fmt: skip


def test_mnist_that_is_nowhere(tmp_path) -> None:
    with pytest.raises(RuntimeError, match=r"Dataset not found: train-images.* You can use download=True"):
        datasets.MNIST(tmp_path, train=True)
    with pytest.raises(TypeError, match="transform is a function of one sample, got int"):
        datasets.MNIST(tmp_path, transform=3)


def test_mnist_from_the_cache_is_checked(tmp_path) -> None:
    folder = tmp_path / "cache" / "mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(RuntimeError, match="is not the file that belongs there"):
        datasets.MNIST(tmp_path)


IMAGES = np.random.default_rng(1).integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)
LABELS = [int(n) for n in np.random.default_rng(2).integers(0, 10, 12)]


def batches(kind: str) -> dict[str, bytes]:
    """Five training batches of two images and a test batch of two."""
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    found = {}
    for i, name in enumerate(names):
        pixels, labels = IMAGES[2 * i : 2 * i + 2].reshape(2, 3072), LABELS[2 * i : 2 * i + 2]
        if kind == "cifar-10-batches-bin":
            found[f"{kind}/{name}.bin"] = b"".join(
                bytes([y]) + x.tobytes() for x, y in zip(pixels, labels, strict=True)
            )
        else:
            batch = {b"data": pixels, b"labels": labels, b"batch_label": b"batch", b"filenames": [b"a.png", b"b.png"]}
            found[f"{kind}/{name}"] = pickle.dumps(batch, 2)
    return found


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", ["cifar-10-batches-py", "cifar-10-batches-bin"])
def test_cifar10_in_each_layout(tmp_path, kind, packed) -> None:
    files = batches(kind)
    if packed:
        name = "cifar-10-python.tar.gz" if kind.endswith("py") else "cifar-10-binary.tar.gz"
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            for path, content in reversed(files.items()):
                member = tarfile.TarInfo(path)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        (tmp_path / kind).mkdir()
        for path, content in files.items():
            (tmp_path / path).write_bytes(content)
    train, test = datasets.CIFAR10(tmp_path), datasets.CIFAR10(tmp_path, train=False, transform=T.ToTensor())
    assert (len(train), len(test)) == (10, 2) and train.targets == LABELS[:10] and test.targets == LABELS[10:]
    assert np.array_equal(train.data, IMAGES[:10].transpose(0, 2, 3, 1))
    image, label = train[7]
    assert isinstance(image, Image.Image) and image.size == (32, 32) and image.mode == "RGB" and label == LABELS[7]
    assert test[1][0].equal(mg.tensor(IMAGES[11]).float() / 255)
    assert train.class_to_idx["frog"] == 6 and "Split: Test" in repr(test)


def test_cifar10_that_is_nowhere_or_damaged(tmp_path) -> None:
    with pytest.raises(RuntimeError, match=r"Dataset not found: .*You can use download=True"):
        datasets.CIFAR10(tmp_path)
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(b"no archive")
    with pytest.raises(RuntimeError, match="truncated or damaged"):
        datasets.CIFAR10(tmp_path)
    with tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(RuntimeError, match="lacks cifar-10-batches-py/data_batch_1"):
        datasets.CIFAR10(tmp_path)
    archive.unlink()
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for i in range(1, 6):
        (folder / f"data_batch_{i}.bin").write_bytes(b"12345")
    with pytest.raises(RuntimeError, match="data_batch_1 is truncated: its 5 bytes"):
        datasets.CIFAR10(tmp_path)


def test_a_cifar10_batch_cannot_run_code(tmp_path) -> None:
    class Evil:
        def __reduce__(self):
            return (eval, ("1 + 1",))

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}, 2))
    with pytest.raises(pickle.UnpicklingError, match="refers to __builtin__.eval"):
        datasets.CIFAR10(tmp_path, train=False)
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [1, 2]}, 2))
    with pytest.raises(RuntimeError, match="something else than bytes"):
        datasets.CIFAR10(tmp_path, train=False)


def test_fake_data_is_drawn_from_the_index() -> None:
    mg.manual_seed(9)
    expected = mg.rand(1)
    mg.manual_seed(9)
    data = datasets.FakeData(size=4, image_size=(3, 8, 6), num_classes=5, random_offset=2)
    image, label = data[1]
    assert mg.rand(1).equal(expected)  # the default stream was left alone
    mg.manual_seed(3)
    noise = mg.randn(3, 8, 6)
    assert label == mg.randint(0, 5, (1,)).item() and isinstance(image, Image.Image) and image.size == (6, 8)
    assert np.array_equal(np.asarray(image), noise.mul(255).byte().permute(1, 2, 0).numpy())
    assert datasets.FakeData(2, (1, 4, 4), transform=T.ToTensor())[0][0].shape == (1, 4, 4)
    assert len(list(data)) == len(data) == 4  # the end is found by IndexError
    with pytest.raises(NotImplementedError, match="must write sample"):
        datasets.VisionDataset()[0]
