"""Members of archives in the cache, and how text, tables and archives are read: what is wrong is named, and where."""

import gzip
import hashlib
import tarfile
import urllib.request

import pytest
from made_up_files import put, tar_gz, zipped

from minigrad.data import DataFile, cache, cache_dir, fetch_member, read_text, read_tsv
from minigrad.data.reading import tar_members


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_verified", {})
    return tmp_path / "cache"


CONTENT = b"label\ttext\n" * 500
MEMBER = DataFile("set/a.tsv", "file:///nowhere", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def _archive(content):
    return DataFile("set/all.zip", "file:///nowhere", *put("set/all.zip", content))


def _names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Members of a zip archive


def test_a_member_that_lies_in_the_cache_needs_no_archive(folder):
    put("set/a.tsv", CONTENT)
    assert fetch_member(MEMBER, DataFile("set/all.zip", "file:///nowhere", "0", 1), "a.tsv") == folder / "set/a.tsv"


def test_a_member_is_taken_out_of_the_archive_whole_and_alone(folder):
    archive = _archive(zipped({"x/a.tsv": CONTENT, "x/b.tsv": b"b", "../evil": b"!", "/etc/evil": b"!"}))
    path = fetch_member(MEMBER, archive, "x/a.tsv")
    assert path == folder / "set/a.tsv" and path.read_bytes() == CONTENT
    assert _names(folder.parent) == ["cache/set/a.tsv", "cache/set/all.zip"]
    path.write_bytes(b"!" + CONTENT[1:])
    with pytest.raises(RuntimeError, match=r"a\.tsv is not the file that belongs there: altered"):
        fetch_member(MEMBER, archive, "x/a.tsv")


def test_an_archive_is_downloaded_where_neither_is_there(folder, tmp_path, capsys):
    content = zipped({"a.tsv": CONTENT})
    (tmp_path / "all.zip").write_bytes(content)
    archive = DataFile(
        "set/all.zip", (tmp_path / "all.zip").as_uri(), hashlib.sha256(content).hexdigest(), len(content)
    )
    assert fetch_member(MEMBER, archive, "a.tsv").read_bytes() == CONTENT
    assert "Downloading set/all.zip" in capsys.readouterr().err
    assert _names(folder) == ["set/a.tsv", "set/all.zip"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped({"b.tsv": CONTENT}), r"all\.zip lacks a\.tsv"),
        (zipped({"a.tsv": CONTENT[:-1]}), r"all\.zip holds something else than set/a\.tsv: truncated, 5,499 bytes"),
        (zipped({"a.tsv": b"!" + CONTENT[1:]}), r"all\.zip holds something else than set/a\.tsv: altered"),
        (zipped({"a.tsv": bytes(10**6)}), r"set/a\.tsv: too long, 262,144 bytes"),
        (zipped({"a.tsv": CONTENT})[:-30], r"all\.zip is truncated or damaged"),
        (b"no archive", r"all\.zip is truncated or damaged"),
    ],
    ids=range(6),  # the bytes of an archive hold the time it was made
)
def test_archives_that_do_not_hold_the_member(folder, content, words):
    with pytest.raises(RuntimeError, match=words):
        fetch_member(MEMBER, _archive(content), "a.tsv")
    assert _names(folder) == ["set/all.zip"]


def test_an_archive_that_is_not_the_one_is_not_opened(folder):
    archive = _archive(zipped({"a.tsv": CONTENT}))
    (folder / "set/all.zip").write_bytes(zipped({"a.tsv": CONTENT, "b": b""}))
    with pytest.raises(RuntimeError, match=r"all\.zip is not the file that belongs there"):
        fetch_member(MEMBER, archive, "a.tsv")


def test_a_truncated_download_of_an_archive(folder, tmp_path):
    content = zipped({"a.tsv": CONTENT})
    (tmp_path / "all.zip").write_bytes(content[:-9])
    archive = DataFile(
        "set/all.zip", (tmp_path / "all.zip").as_uri(), hashlib.sha256(content).hexdigest(), len(content)
    )
    with pytest.raises(RuntimeError, match=r"sent something else than set/all\.zip: truncated"):
        fetch_member(MEMBER, archive, "a.tsv")
    assert _names(folder) == []


# Text


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_text_keeps_its_line_ends(tmp_path, pack):
    (tmp_path / "a").write_bytes(pack("\ufeffGrüße,\r\n茶\u2028\n".encode()))
    assert read_text(tmp_path / "a") == "Grüße,\r\n茶\u2028\n"


def test_text_that_is_no_utf_8(tmp_path):
    (tmp_path / "a").write_bytes("Grüße\n".encode() + "ä".encode("latin-1") + b"hm")
    with pytest.raises(ValueError, match=r"a is not UTF-8: byte 0xe4 at position 8 \(line 2\)"):
        read_text(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "words"),
    [(gzip.compress(b"abc" * 99)[:-9], "truncated"), (gzip.compress(b"a")[:-8] + bytes(8), "CRC")],
    ids=("truncated", "CRC"),
)
def test_gzipped_text_that_is_damaged(tmp_path, content, words):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_text(tmp_path / "a")


# Tables


def test_a_table_has_plain_quotation_marks_and_any_line_end(tmp_path):
    (tmp_path / "a.tsv").write_text('label\ttext\n1\t"good\n0\tbad\x85 \u2028"" \r\n\t\n', encoding="utf-8", newline="")
    assert read_tsv(tmp_path / "a.tsv", ("label", "text")) == [("1", '"good'), ("0", 'bad\x85 \u2028"" '), ("", "")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "starts with nothing, expected the columns 'label', 'text'"),
        ("text\tlabel\na\t1\n", "starts with 'text', 'label', expected"),
        ("label\ttext\n1\ta\n1 b\n", r"line 3 has 1 field, expected 2 separated by tabs \(label, text\): '1 b'"),
        ("label\ttext\n1\ta\n\n1\tb\n", "line 3 has 1 field"),
        ("label\ttext\n1\ta\tb\n", r"line 2 has 3 fields, expected 2 .*: '1\\ta\\tb'"),
    ],
)
def test_tables_that_are_none(tmp_path, content, words):
    (tmp_path / "a.tsv").write_text(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_tsv(tmp_path / "a.tsv", ("label", "text"))
    assert str(tmp_path / "a.tsv") in str(caught.value)


# tar archives


def test_the_members_that_are_wanted(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_gz({"x/1": b"one", "x/2": b"two", "y/1": b""}, [("x/3", "x/1")]))
    assert list(tar_members(tmp_path / "a.tar.gz", lambda name: name.startswith("x/"))) == [
        ("x/1", b"one"),
        ("x/2", b"two"),
    ]


@pytest.mark.parametrize("name", ["../evil", "x/../../evil", "/etc/evil", "C:/evil", "..\\evil"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path, name):
    (tmp_path / "a.tar.gz").write_bytes(tar_gz({name: b"!", "x": b"fine"}))
    with pytest.raises(RuntimeError, match=r"a\.tar\.gz is not to be trusted: its member .*evil' leaves its folder"):
        list(tar_members(tmp_path / "a.tar.gz", lambda name: True))


SOUND = tar_gz({"x": bytes(i * i % 251 for i in range(5000)), "y": b"y"})


@pytest.mark.parametrize("content", [b"", b"no archive", SOUND[:-8], SOUND[:200], SOUND[:100] + b"?" + SOUND[101:]])
def test_archives_that_are_truncated_or_damaged(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(RuntimeError, match=r"a\.tar\.gz is truncated or damaged"):
        list(tar_members(tmp_path / "a.tar.gz", lambda name: True))


def test_nothing_here_unpacks_to_disk(monkeypatch, tmp_path):
    for method in ("extract", "extractall"):
        monkeypatch.setattr(tarfile.TarFile, method, lambda *args, **kwargs: pytest.fail("unpacked"))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: pytest.fail("downloaded"))
    (tmp_path / "a.tar.gz").write_bytes(tar_gz({"x": b"x"}))
    assert dict(tar_members(tmp_path / "a.tar.gz", lambda name: True)) == {"x": b"x"}
    assert _names(tmp_path) == ["a.tar.gz"] and not cache_dir().exists()
