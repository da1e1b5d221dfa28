"""Multi30k, WikiText-2, the poems and CIFAR-10, on made-up files; on the real ones where they are cached."""

import json

import numpy as np
import pytest
from made_up_files import put_archive, put_files, tar_gz

from minigrad.data import CIFAR10, DataLoader, Multi30k, Poem, TangPoems, WikiText2, cache, cache_dir, shared_rows
from minigrad.vision import datasets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_verified", {})
    return tmp_path / "cache"


# Multi30k


def test_multi30k(folder, monkeypatch):
    files = {
        "test_2016_flickr.de.gz": "Ein Hund. \nZwei\u2028Hunde.\n",
        "test_2016_flickr.en.gz": "A dog.\nTwo dogs.\n",
    }
    put_files(monkeypatch, Multi30k, "multi30k", files)
    test = Multi30k("test")
    assert list(test) == [("Ein Hund.", "A dog."), ("Zwei\u2028Hunde.", "Two dogs.")] and len(test) == 2
    assert test.german[0] == "Ein Hund." and test.english == ["A dog.", "Two dogs."]
    german, _english = next(iter(DataLoader(test, batch_size=2)))
    assert list(german) == test.german


def test_multi30k_with_sides_that_do_not_belong_together(folder, monkeypatch):
    put_files(monkeypatch, Multi30k, "multi30k", {"val.de.gz": "Eins\nZwei\n", "val.en.gz": "One\n"})
    with pytest.raises(ValueError, match="2 German and 1 English lines do not belong together"):
        Multi30k("val")
    put_files(monkeypatch, Multi30k, "multi30k", {"val.de.gz": "Größe".encode("latin-1")})
    with pytest.raises(ValueError, match=r"val\.de\.gz is not UTF-8: byte 0xf6 at position 2"):
        Multi30k("val")


# WikiText-2

WIKITEXT = (
    " \n = Du Fu = \n \n Du Fu was a poet . \n \n = = Life = = \n \n He <unk> . \n \n = = = Youth = = = \n \n"
    " Born in 712 , L \n = 2 and C = \n 3 . \n \n = Kiss You ( song ) = \n \n = = Sales = = \n \n"
)


def test_wikitext2(folder, monkeypatch):
    put_files(monkeypatch, WikiText2, "wikitext-2", {"valid.txt": WIKITEXT})
    monkeypatch.setattr(WikiText2, "files", {**WikiText2.files, "valid": WikiText2.files["valid.txt"]})
    valid = WikiText2("valid")
    assert valid.text == WIKITEXT
    words = valid.words()
    assert words[:6] == ["<eos>", "=", "Du", "Fu", "=", "<eos>"] and words.count("<eos>") == WIKITEXT.count("\n")
    assert len(words) == len(WIKITEXT.split()) + WIKITEXT.count("\n")
    assert valid.articles() == [
        ("Du Fu", ["Du Fu was a poet .", "He <unk> .", "Born in 712 , L", "= 2 and C =", "3 ."]),
        ("Kiss You ( song )", []),
    ]
    assert valid.articles()[0].title == "Du Fu"


# Poems

VERSES = ["牀前看月光，疑是地上霜。", "舉頭望山月，低頭思故鄉。"]
TANG = [
    {"author": "李白", "title": "靜夜思", "paragraphs": VERSES, "id": "1"},
    {"author": "甲", "title": "[缺]字", "paragraphs": ["春□來。"], "id": "2"},
    {"author": "乙", "title": "", "paragraphs": ["[爽]節在重九/，", "", "物華新雨餘。"], "id": "3"},
    {"author": "丙", "title": "無字", "paragraphs": ["憐芳若兮{臨/手}中洲。"], "id": "4"},
]
THREE_HUNDRED = [{"author": "李白", "title": "夜思", "paragraphs": [verse.replace("，", "！") for verse in VERSES]}]
SONG = [{"author": "和岘", "rhythmic": "导引", "paragraphs": ["气和玉烛，睿化著鸿明。"]}]


@pytest.fixture
def poems(folder, monkeypatch):
    names = {"tang": ("a.json",), "tang300": ("b.json",), "song": ("c.json",)}
    monkeypatch.setattr(TangPoems, "collections", names)
    contents = {"a.json": json.dumps(TANG), "b.json": json.dumps(THREE_HUNDRED), "c.json": json.dumps(SONG)}
    put_files(monkeypatch, TangPoems, "chinese-poetry", contents)


def test_poems(poems):
    found = TangPoems()
    assert found.poems == [
        Poem("靜夜思", "李白", tuple(VERSES)),
        Poem("", "乙", ("爽節在重九，", "物華新雨餘。")),
    ]
    assert found.text == "靜夜思\n牀前看月光，疑是地上霜。\n舉頭望山月，低頭思故鄉。\n\n爽節在重九，\n物華新雨餘。\n"
    assert len(found) == 2 and found[0].author == "李白" and [poem.title for poem in found] == ["靜夜思", ""]


def test_poems_of_other_collections_and_with_gaps(poems):
    assert [poem.title for poem in TangPoems("tang300", "song")] == ["夜思", "导引"]
    with_gaps = TangPoems("tang", gaps=True)
    assert [poem.lines for poem in with_gaps][1::2] == [("春□來。",), ("憐芳若兮□中洲。",)]
    assert with_gaps[1].title == "缺字"
    with pytest.raises(ValueError, match="TangPoems has no collection 'song300'; it has 'tang', 'tang300', 'song'"):
        TangPoems("song300")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[{]", r"a\.json is not JSON"),
        ("{}", r"a\.json holds a dict, expected a list of poems"),
        (json.dumps([TANG[0], {"title": "a", "paragraphs": []}]), r"a\.json: entry 1 is no poem"),
        (json.dumps([{"author": "a", "paragraphs": []}]), "entry 0 is no poem"),
        (json.dumps([{"author": "a", "title": "b", "paragraphs": [1]}]), "entry 0 is no poem"),
        (json.dumps(["poem"]), r"entry 0 is no poem, expected a title .*got poem"),
    ],
)
def test_files_without_poems(poems, monkeypatch, content, words):
    put_files(monkeypatch, TangPoems, "chinese-poetry", {"a.json": content})
    with pytest.raises(ValueError, match=words):
        TangPoems("tang")


@pytest.mark.parametrize(
    ("kind", "known"), [(Multi30k, "'train', 'val', 'test'"), (WikiText2, "'train', 'valid', 'test'")]
)
def test_a_split_that_is_none(kind, known):
    with pytest.raises(ValueError, match=f"{kind.__name__} has no split 'dev'; it has {known}"):
        kind("dev")


# CIFAR-10

IMAGES = np.random.default_rng(1).integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)
LABELS = np.random.default_rng(2).integers(0, 10, 12)


def _batches():
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return {
        f"cifar-10-batches-bin/{name}.bin": b"".join(
            bytes([LABELS[i]]) + IMAGES[i].tobytes() for i in (2 * batch, 2 * batch + 1)
        )
        for batch, name in enumerate(names)
    }


def test_cifar10(folder, monkeypatch):
    files = {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n", **dict(reversed(_batches().items()))}
    put_archive(monkeypatch, CIFAR10, tar_gz(files))
    train, test = CIFAR10(), CIFAR10(train=False)
    assert train.images.shape == (10, 3, 32, 32) and train.images.dtype == np.uint8 and train.images.flags.writeable
    np.testing.assert_array_equal(train.images, IMAGES[:10])
    assert train.labels.dtype == np.int64 and train.labels.tolist() == LABELS[:10].tolist()
    image, label = test[1]
    np.testing.assert_array_equal(image, IMAGES[11])
    assert label == LABELS[11] and type(label) is int and len(test) == 2
    assert train.classes[6] == "frog" and len(train.classes) == 10
    np.testing.assert_array_equal(test.pixels(), IMAGES[10:].astype(np.float32) / np.float32(255))
    images, labels = next(iter(DataLoader(train, batch_size=4)))
    assert images.shape == (4, 3, 32, 32) and labels.tolist() == LABELS[:4].tolist()


def test_cifar10_is_the_one_that_vision_has(folder, monkeypatch):
    put_archive(monkeypatch, CIFAR10, tar_gz(_batches()))
    monkeypatch.setitem(datasets.cifar.ARCHIVES, datasets.cifar.BINARY, CIFAR10.archive)
    np.testing.assert_array_equal(datasets.CIFAR10(train=False).data, IMAGES[10:].transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cifar-10-batches-bin/data_batch_3.bin": None}, r"lacks cifar-10-batches-bin/data_batch_3\.bin"),
        ({"cifar-10-batches-bin/data_batch_2.bin": b"\1" * 3072}, r"data_batch_2\.bin is truncated: its 3,072 bytes"),
        (
            {"cifar-10-batches-bin/data_batch_5.bin": bytes(3073) + b"\x0a" * 3073},
            r"data_batch_5\.bin is damaged: record 1 has the label 10, expected 0 to 9",
        ),
        ({"../data_batch_6.bin": b""}, "not to be trusted"),
    ],
)
def test_cifar10_archives_with_something_wrong(folder, monkeypatch, change, words):
    files = {name: content for name, content in {**_batches(), **change}.items() if content is not None}
    put_archive(monkeypatch, CIFAR10, tar_gz(files))
    with pytest.raises(RuntimeError, match=words):
        CIFAR10()


def test_a_cifar10_archive_that_was_altered(folder, monkeypatch):
    put_archive(monkeypatch, CIFAR10, tar_gz(_batches()))
    (folder / CIFAR10.archive.name).write_bytes(tar_gz({}))
    with pytest.raises(RuntimeError, match=r"cifar-10-binary\.tar\.gz is not the file that belongs there: truncated"):
        CIFAR10()


# The real files, where this machine has them


def test_the_real_multi30k_where_cached():
    if all((cache_dir() / "multi30k" / name).exists() for name in Multi30k.files):
        parts = [Multi30k(split) for split in Multi30k.splits]
        assert [len(part) for part in parts] == [29_000, 1_014, 1_000] and not shared_rows(*parts)
        assert parts[2][0][1] == "A man in an orange hat starring at something."
        assert all(all(pair) for part in parts for pair in part)


@pytest.mark.parametrize(
    ("split", "words", "articles", "title"),
    [
        ("train", 2_088_628, 600, "Valkyria Chronicles III"),
        ("valid", 217_646, 60, "Homarus gammarus"),
        ("test", 245_569, 60, "Robert <unk>"),
    ],
)
def test_the_real_wikitext2_where_cached(split, words, articles, title):
    if (cache_dir() / "wikitext-2" / f"{split}.txt").exists():
        part = WikiText2(split)
        found = part.articles()
        assert len(part.words()) == words and len(found) == articles and found[0].title == title
        assert all(article.paragraphs for article in found)
        if split == "train":
            assert len(set(part.words())) == 33_278


def test_the_real_poems_where_cached():
    if all((cache_dir() / "chinese-poetry" / name).exists() for name in TangPoems.files):
        tang, three, both, song = TangPoems("tang"), TangPoems("tang300"), TangPoems(), TangPoems("song")
        assert [len(part) for part in (tang, three, both, song)] == [6_836, 352, 7_086, 987]
        assert tang[0].lines[0] == "秦川雄帝宅，函谷壯皇居。" and song[0].title == "导引"
        assert not set("□[]{}/") & set("".join(line for poem in both for line in poem.lines))
        assert len({"".join(poem.lines) for poem in both}) == len(both)
