"""SST-2, ChnSentiCorp and IMDB, on made-up files of the same layout; on the real ones where they are cached."""

import numpy as np
import pytest
from made_up_files import put_archive, put_files, tar_gz, zipped

from minigrad.data import IMDB, SST2, ChnSentiCorp, DataFile, DataLoader, cache, cache_dir, shared_rows, unique_rows


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_verified", {})
    return tmp_path / "cache"


SST2_FILES = {
    "train.tsv": 'sentence\tlabel\na fine  film \t1\nno . . \t0\n"so" so\t0\n',
    "dev.tsv": "sentence\tlabel\nwell made \t1\n",
    "test.tsv": "index\tsentence\n0\tno . .\n1\ta chore\n",
}
CHINESE_FILES = {
    "train.tsv": "label\ttext_a\n1\t很好，很 好。\n0\t太差。\n1\t不错！\n1\t房间大。\n0\t太差。\n",
    "dev.tsv": "label\ttext_a\n0\t很好，很  好。\n0\t一般\n",
    "test.tsv": "label\ttext_a\n1\t一般 \n1\t不错！\n",
}
REVIEWS = {
    "aclImdb/README": b"about",
    "aclImdb/train/pos/10_9.txt": b"Ten.",
    "aclImdb/train/pos/2_7.txt": "Two: très bien.<br /><br />Yes.".encode(),
    "aclImdb/train/neg/0_1.txt": b"Zero.",
    "aclImdb/train/neg/1_4.txt": b"In both.",
    "aclImdb/train/unsup/0_0.txt": b"Who knows?",
    "aclImdb/train/unsup/1_0.txt": b"Zero.",
    "aclImdb/test/pos/0_10.txt": b"In  both.",
    "aclImdb/test/neg/0_2.txt": b"Bad.",
    "aclImdb/train/labeledBow.feat": b"9 0:9",
    "aclImdb/train/pos/urls.txt": b"http://",
}


def test_sst2(folder, monkeypatch):
    put_files(monkeypatch, SST2, "SST-2", SST2_FILES)
    train, dev, test = SST2("train"), SST2("dev"), SST2("test")
    assert train.texts == ["a fine  film", '"so" so'] and train.labels.tolist() == [1, 0]
    assert train.labels.dtype == np.int64 and train.classes == ("negative", "positive")
    assert dev[0] == ("well made", 1) and type(dev[0][1]) is int and len(dev) == 1
    assert test.texts == ["no . .", "a chore"] and test.labels.tolist() == [-1, -1]  # GLUE keeps them to itself
    assert not shared_rows(train, dev, test)
    assert SST2(drop_shared=False).texts == ["a fine  film", "no . .", '"so" so']
    texts, labels = next(iter(DataLoader(train, batch_size=2)))
    assert list(texts) == train.texts and labels.tolist() == [1, 0]


def test_chnsenticorp(folder, monkeypatch):
    put_files(monkeypatch, ChnSentiCorp, "chnsenticorp", CHINESE_FILES)
    train, dev, test = (ChnSentiCorp(split) for split in ChnSentiCorp.splits)
    assert train.texts == ["太差。", "房间大。", "太差。"] and train.labels.tolist() == [0, 1, 0]
    assert dev.texts == ["很好，很  好。"] and test.texts == ["一般", "不错！"] and test[1] == ("不错！", 1)
    assert not shared_rows(train, dev, test) and unique_rows(train).tolist() == [0, 1]
    whole = [ChnSentiCorp(split, drop_shared=False) for split in ChnSentiCorp.splits]
    assert [len(part) for part in whole] == [5, 2, 2]
    assert shared_rows(*whole) == {"很好，很 好。": (0, 1), "不错！": (0, 2), "一般": (1, 2)}


@pytest.mark.parametrize(
    ("kind", "name", "files", "inside"),
    [(SST2, "SST-2", SST2_FILES, "SST-2/"), (ChnSentiCorp, "chnsenticorp", CHINESE_FILES, "")],
)
def test_the_members_come_out_of_the_zip(folder, monkeypatch, kind, name, files, inside):
    put_files(monkeypatch, kind, name, files)
    expected = kind("dev").texts
    for file in files:
        (folder / name / file).unlink()
    put_archive(monkeypatch, kind, zipped({inside + file: content for file, content in files.items()}))
    assert kind("dev").texts == expected
    assert sorted(path.name for path in (folder / name).iterdir()) == sorted(
        ["dev.tsv", "test.tsv", kind.archive.name.split("/")[1]]
    )
    assert len(kind("train")) > 0


def test_a_zip_without_a_member(folder, monkeypatch):
    put_archive(monkeypatch, SST2, zipped({"SST-2/dev.tsv": "?"}))
    with pytest.raises(RuntimeError, match=r"SST-2\.zip lacks SST-2/test\.tsv"):
        SST2("test")


def test_imdb(folder, monkeypatch):
    put_archive(monkeypatch, IMDB, tar_gz(REVIEWS, [("aclImdb/train/pos/3_8.txt", "aclImdb/README")]))
    train, test, unsup = IMDB(), IMDB("test"), IMDB("unsup")
    assert train.texts == ["Zero.", "Two: très bien.<br /><br />Yes.", "Ten."] and train.labels.tolist() == [0, 1, 1]
    assert test.texts == ["Bad.", "In  both."] and test.labels.tolist() == [0, 1]
    assert unsup.texts == ["Who knows?"] and unsup.labels.tolist() == [-1]
    assert not shared_rows(unsup, train, test)
    assert IMDB("train", drop_shared=False).texts[:2] == ["Zero.", "In both."]
    assert sorted(path.name for path in folder.rglob("*")) == ["aclImdb_v1.tar.gz", "imdb"]  # nothing was unpacked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"aclImdb/train/pos/3_8.txt": b"\xff"}, r"train/pos/3_8\.txt is not UTF-8: byte 0xff at position 0"),
        ({"aclImdb/../../evil.txt": b"!"}, "not to be trusted"),
        ({"aclImdb/test/neg/0_2.txt": None}, r"lacks reviews in aclImdb/test/neg"),
    ],
)
def test_imdb_archives_that_are_none(folder, monkeypatch, change, words):
    files = {name: content for name, content in {**REVIEWS, **change}.items() if content is not None}
    put_archive(monkeypatch, IMDB, tar_gz(files))
    with pytest.raises((RuntimeError, ValueError), match=words):
        IMDB("train")


def test_an_imdb_archive_that_was_altered(folder, monkeypatch):
    put_archive(monkeypatch, IMDB, tar_gz(REVIEWS))
    (folder / IMDB.archive.name).write_bytes(tar_gz({**REVIEWS, "aclImdb/test/pos/9_9.txt": b"More."}))
    with pytest.raises(RuntimeError, match=r"aclImdb_v1\.tar\.gz is not the file that belongs there"):
        IMDB()


@pytest.mark.parametrize(
    ("kind", "known"),
    [(SST2, "'train', 'dev', 'test'"), (ChnSentiCorp, "'train', 'dev', 'test'"), (IMDB, "'unsup', 'train', 'test'")],
)
def test_a_split_that_is_none(kind, known):
    with pytest.raises(ValueError, match=f"{kind.__name__} has no split 'valid'; it has {known}"):
        kind("valid")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sentence\tlabel\ngood\t1\nbad 0\n", r"dev\.tsv, line 3 has 1 field, expected 2"),
        ("sentence\tlabel\ngood\t2\n", r"dev\.tsv, line 2: the label is '2', expected 0 or 1"),
        (b"sentence\tlabel\ngo\xc3\t1\n", r"dev\.tsv is not UTF-8: byte 0xc3 at position 17 \(line 2\)"),
        ("label\tsentence\n1\tgood\n", r"dev\.tsv starts with 'label', 'sentence'"),
    ],
)
def test_tables_with_something_wrong(folder, monkeypatch, content, words):
    put_files(monkeypatch, SST2, "SST-2", {**SST2_FILES, "dev.tsv": content})
    with pytest.raises(ValueError, match=words):
        SST2("dev")


# The real files, where this machine has them


def _cached(kind, name):
    return all((cache_dir() / name / file).exists() for file in kind.files)


def test_the_real_sst2_where_cached():
    if _cached(SST2, "SST-2"):
        train, dev, test = SST2("train"), SST2("dev"), SST2("test")
        assert [len(part) for part in (train, dev, test)] == [67_347, 872, 1_821] and not shared_rows(train, dev, test)
        assert train[0] == ("hide new secretions from the parental units", 0)
        assert np.bincount(dev.labels).tolist() == [428, 444] and set(test.labels.tolist()) == {-1}
        whole = SST2(drop_shared=False)
        assert len(whole) == 67_349 and len(unique_rows(whole)) == 66_978
        assert set(shared_rows(whole, dev, test)) == {"no . .", "what 's next ?"}


def test_the_real_chnsenticorp_where_cached():
    if _cached(ChnSentiCorp, "chnsenticorp"):
        parts = [ChnSentiCorp(split) for split in ChnSentiCorp.splits]
        assert [len(part) for part in parts] == [8_913, 1_161, 1_200] and not shared_rows(*parts)
        assert len(unique_rows(parts[0])) == 8_913 - 1_324 and np.bincount(parts[2].labels).tolist() == [592, 608]
        whole = [ChnSentiCorp(split, drop_shared=False) for split in ChnSentiCorp.splits]
        assert [len(part) for part in whole] == [9_600, 1_200, 1_200] and len(shared_rows(*whole)) == 694


def test_the_real_chnsenticorp_zip_where_cached(folder, monkeypatch):
    monkeypatch.undo()
    archive = cache_dir() / ChnSentiCorp.archive.name
    if archive.exists():
        content = archive.read_bytes()
        monkeypatch.setenv("MINIGRAD_DATA", str(folder))
        (folder / "chnsenticorp").mkdir(parents=True)
        (folder / ChnSentiCorp.archive.name).write_bytes(content)
        assert len(ChnSentiCorp("test")) == 1_200
        assert isinstance(ChnSentiCorp.archive, DataFile) and (folder / "chnsenticorp" / "test.tsv").exists()
