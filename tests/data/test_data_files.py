"""The data cache, the IDX reader and the image sets, on small made-up files; on the real ones where they are cached."""

import gzip
import hashlib
import http.server
import importlib.util
import os
import struct
import sys
import threading
import types
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import MNIST, DataFile, DataLoader, Digits, FashionMNIST, cache, cache_dir, fetch, read_idx, text

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data cache of the test's own; nothing found sound before counts."""
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_verified", {})
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    """A file to fetch, at a file:// address."""
    origin = tmp_path / "origin.bin"
    origin.write_bytes(CONTENT)
    return _file(origin.as_uri())


def _file(url, content=CONTENT):
    return DataFile("some/set.bin", url, hashlib.sha256(content).hexdigest(), len(content))


def _no_network(*args, **kwargs):
    raise urllib.error.URLError("no route to host")


def _left_behind(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# Where the cache is


def test_the_environment_decides_first(folder, monkeypatch):
    assert cache_dir() == folder
    monkeypatch.setenv("MINIGRAD_DATA", "~/here")
    assert cache_dir() == Path.home() / "here"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/tmp/x"}, Path("/tmp/x/minigrad")),
        ("linux", {}, Path.home() / ".cache" / "minigrad"),
        ("darwin", {"XDG_CACHE_HOME": "/tmp/x"}, Path.home() / "Library" / "Caches" / "minigrad"),
        ("win32", {"LOCALAPPDATA": "/tmp/local"}, Path("/tmp/local/minigrad")),
        ("win32", {}, Path.home() / "AppData" / "Local" / "minigrad"),
    ],
)
def test_each_platform_has_its_folder(platform, variables, expected, monkeypatch):
    for name in ("MINIGRAD_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == expected


# What is in the cache


def test_a_sound_file_is_used_without_a_download(folder, source, monkeypatch):
    (folder / "some").mkdir(parents=True)
    (folder / source.name).write_bytes(CONTENT)
    monkeypatch.setattr(urllib.request, "urlopen", _no_network)
    assert fetch(source) == folder / source.name


def test_a_sound_file_is_read_once(folder, source, monkeypatch):
    path = fetch(source)
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: pytest.fail("read again"))
    assert fetch(source) == path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:-1], "truncated, 10,239 bytes where 10,240 are expected"),
        (lambda content: content + b"!", "too long, 10,241 bytes"),
        (lambda content: b"!" + content[1:], "altered, sha256"),
    ],
)
def test_a_broken_file_is_named_and_left_alone(folder, source, change, words):
    (folder / "some").mkdir(parents=True)
    path = folder / source.name
    path.write_bytes(change(CONTENT))
    with pytest.raises(RuntimeError) as caught:
        fetch(source)
    for expected in (str(path), words, "Delete it", "MINIGRAD_DATA"):
        assert expected in str(caught.value)
    assert path.read_bytes() == change(CONTENT)
    path.unlink()
    assert fetch(source).read_bytes() == CONTENT  # the fix that the message names


def test_a_file_altered_later_is_noticed(folder, source):
    path = fetch(source)
    path.write_bytes(b"!" + CONTENT[1:])
    os.utime(path, ns=(0, 0))
    with pytest.raises(RuntimeError, match="altered"):
        fetch(source)


# Downloads


def test_a_download_says_what_it_does_and_leaves_one_file(folder, source, capsys):
    path = fetch(source)
    assert path.read_bytes() == CONTENT and _left_behind(folder) == ["set.bin"]
    told = capsys.readouterr().err
    for expected in ("some/set.bin", "10.2 kB", source.url, str(path)):
        assert expected in told
    assert "\r" not in told  # no progress line where the output is not a terminal


def test_progress_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    cache._show_progress(sys.stderr, _file("file:///x"), 5120, 0.5)
    cache._show_progress(sys.stderr, _file("file:///x"), 10240, 1.0)
    told = capsys.readouterr().err
    assert "\rsome/set.bin:  50% of 10.2 kB, 10.2 kB/s" in told and told.endswith("\n")


def test_offline(folder, source, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", _no_network)
    with pytest.raises(ConnectionError) as caught:
        fetch(source)
    for expected in (source.name, source.url, "no route to host", str(folder / source.name), "MINIGRAD_DATA"):
        assert expected in str(caught.value)
    assert _left_behind(folder) == []


@pytest.mark.parametrize("sent", [CONTENT[:-5], b"!" + CONTENT[1:], CONTENT + b"!", b""])
def test_a_download_of_something_else_keeps_nothing(folder, source, tmp_path, sent):
    (tmp_path / "origin.bin").write_bytes(sent)
    with pytest.raises(RuntimeError, match=r"sent something else than some/set\.bin") as caught:
        fetch(source)
    assert source.url in str(caught.value) and _left_behind(folder) == []


def test_an_endless_answer_is_cut_off(folder, source, monkeypatch):
    class Endless:
        reads = 0

        def __enter__(self):
            return self

        def __exit__(self, *args):
            return None

        def read(self, size):
            self.reads += 1
            assert self.reads < 5
            return bytes(size)

    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: Endless())
    with pytest.raises(RuntimeError, match="too long, 262,144 bytes"):
        fetch(source)


def test_an_interrupt_leaves_nothing(folder, source, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_show_progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(source)
    assert _left_behind(folder) == []


def test_the_name_appears_only_when_the_file_is_whole(folder, source, monkeypatch):
    seen = []
    replace = os.replace

    def watch(temporary, path):
        seen.append((Path(temporary).parent == Path(path).parent, Path(temporary).read_bytes(), Path(path).exists()))
        replace(temporary, path)

    monkeypatch.setattr(os, "replace", watch)
    fetch(source)
    assert seen == [(True, CONTENT, False)]


def test_a_folder_that_cannot_be_made_is_named(folder, source):
    folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="set MINIGRAD_DATA to a folder that can be written"):
        fetch(source)


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100] if self.path == "/broken" else CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_http(folder, address):
    assert fetch(_file(f"{address}/whole")).read_bytes() == CONTENT


def test_http_a_connection_lost_on_the_way(folder, address):
    with pytest.raises((RuntimeError, ConnectionError), match=r"truncated, 100 bytes|cannot download some/set\.bin"):
        fetch(_file(f"{address}/broken"))
    assert _left_behind(folder) == []


def test_http_not_found(folder, address):
    with pytest.raises(ConnectionError, match="Not Found"):
        fetch(_file(f"{address}/missing"))


# IDX files


def _idx(array, code):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_of_every_dtype(tmp_path, code, dtype, pack):
    array = (np.arange(24).reshape(2, 3, 4) - 3).astype(dtype)
    (tmp_path / "a").write_bytes(pack(_idx(array, code)))
    found = read_idx(tmp_path / "a")
    assert found.dtype == np.dtype(dtype).newbyteorder("=") and found.dtype.isnative and found.flags.writeable
    np.testing.assert_array_equal(found, array)


def test_idx_files_with_nothing_in_them(tmp_path):
    (tmp_path / "a").write_bytes(_idx(np.zeros((0, 28), np.uint8), 0x08))
    assert read_idx(tmp_path / "a").shape == (0, 28)


SOUND = _idx(np.arange(200, dtype=np.uint8).reshape(2, 100), 0x08)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG", "starts with 89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "not an IDX file"),
        (SOUND[:10], "ends inside its header"),
        (SOUND[:-1], r"shape \(2, 100\) wants 200 bytes of values, found 199"),
        (SOUND + b"!", "longer than its header says"),
        (gzip.compress(SOUND, mtime=0)[:-10], "truncated: its gzip stream has no end"),
        (gzip.compress(SOUND, mtime=0)[:15], "truncated: its gzip stream has no end"),
        (gzip.compress(SOUND, mtime=0)[:-8] + bytes(8), "damaged"),
        (gzip.compress(SOUND, mtime=0)[:12] + b"\xff" * 40, "damaged"),
        (gzip.compress(SOUND[:-1], mtime=0), "found 199"),
    ],
)
def test_broken_idx_files(tmp_path, content, words):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_idx(tmp_path / "broken")
    assert str(tmp_path / "broken") in str(caught.value)


# MNIST and its kin


def _made_up(kind, folder, monkeypatch, images=None):
    """Files in the layout of an image set, and a table of their checksums in the class's place."""
    rng = np.random.default_rng(0)
    table = {}
    for part, n in (("train", 12), ("t10k", 5)):
        arrays = {"images-idx3": images if images is not None else rng.integers(0, 256, (n, 28, 28), np.uint8)}
        arrays["labels-idx1"] = (np.arange(n) % 10).astype(np.uint8)
        for name, array in arrays.items():
            content = gzip.compress(_idx(array, 0x08))
            path = folder / kind.folder / f"{part}-{name}-ubyte.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            table[path.name] = (hashlib.sha256(content).hexdigest(), len(content))
    assert set(table) == set(kind.files)
    monkeypatch.setattr(kind, "files", table)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_image_sets(kind, folder, monkeypatch):
    _made_up(kind, folder, monkeypatch)
    train, test = kind(), kind(train=False)
    assert (len(train), len(test)) == (12, 5)
    assert train.images.dtype == np.uint8 and train.labels.dtype == np.int64
    image, label = train[11]
    assert image.shape == (28, 28) and label == 1 and type(label) is int
    pixels = train.pixels()
    assert pixels.dtype == np.float32 and pixels.shape == (12, 28, 28)
    np.testing.assert_array_equal(pixels, train.images.astype(np.float32) / np.float32(255))
    images, labels = next(iter(DataLoader(train, batch_size=4)))
    assert images.shape == (4, 28, 28) and labels.tolist() == [0, 1, 2, 3]
    assert len(kind.classes) == 10


def test_images_and_labels_that_do_not_belong_together(folder, monkeypatch):
    _made_up(MNIST, folder, monkeypatch, images=np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(ValueError, match=r"images \(3, 28, 28\) and labels \(12,\) do not belong together"):
        MNIST()


@pytest.mark.parametrize("real", [False, True])
def test_digits(real, monkeypatch):
    """On a made-up set with the real one's shapes, and on the real one where scikit-learn is installed."""
    if not (real and importlib.util.find_spec("sklearn")):
        values = np.arange(1797 * 64).reshape(1797, 8, 8) % 17
        bunch = types.SimpleNamespace(images=values.astype(float), target=np.arange(1797) % 10)
        monkeypatch.setitem(sys.modules, "sklearn", types.ModuleType("sklearn"))
        monkeypatch.setitem(sys.modules, "sklearn.datasets", types.SimpleNamespace(load_digits=lambda: bunch))
    train, test = Digits(), Digits(train=False)
    assert train.images.shape == (1437, 8, 8) and test.images.shape == (360, 8, 8)
    assert train.images.dtype == np.uint8 and train.images.max() == 16 and set(train.labels) == set(range(10))
    assert train[0][1] == 0 and train[0][0].shape == (8, 8)
    assert train.pixels().dtype == np.float32 and train.pixels().max() == 1.0


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ModuleNotFoundError, match=r"minigrad\[examples\]"):
        Digits()


# The real files, where this machine has them


def _cached(*files):
    return all((cache_dir() / file.name).exists() for file in files)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_the_real_image_sets_where_cached(kind):
    files = [DataFile(f"{kind.folder}/{name}", "", sha256, size) for name, (sha256, size) in kind.files.items()]
    assert len({file.sha256 for file in files}) == 4 and all(len(file.sha256) == 64 for file in files)
    if _cached(*files):
        test = kind(train=False)
        assert test.images.shape == (10_000, 28, 28)
        assert np.bincount(test.labels).min() >= 892


def test_the_real_texts_where_cached():
    assert text.TINYSHAKESPEARE.size == 1_115_394 and text.NAMES.size == 228_145
    if _cached(text.TINYSHAKESPEARE, text.NAMES):
        assert text.tinyshakespeare().startswith("First Citizen:\nBefore we proceed any further, hear me speak.")
        assert len(set(text.tinyshakespeare())) == 65
        assert text.names()[:3] == ["emma", "olivia", "ava"] and len(text.names()) == 32_033
