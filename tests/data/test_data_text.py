"""The texts, the character tokenizer, the split and the two yardsticks."""

import hashlib
import math
import sys
import types

import numpy as np
import pytest

import minigrad
from minigrad.data import (
    TOPIC_BREAK,
    CharTokenizer,
    DataFile,
    bigram_loss,
    known_word_share,
    names,
    python_docs,
    text,
    tinyshakespeare,
    train_validation_split,
)


def _topics(monkeypatch, topics):
    module = types.ModuleType("pydoc_data.topics")
    if topics is not None:
        module.topics = topics
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", module)


# The documentation of Python


def test_python_docs_of_this_installation():
    found = python_docs()
    assert found == python_docs()
    assert 250_000 < len(found) < 1_000_000 and 90 <= len(set(found)) <= 200
    topics = found.split(TOPIC_BREAK)
    assert 50 <= len(topics) <= 200 and all(topic == topic.strip("\n") != "" for topic in topics)
    assert any(topic.startswith('The "assert" statement') for topic in topics)


def test_no_paragraph_comes_twice_and_none_is_lost():
    def paragraphs(topic):
        for paragraph in topic.split("\n\n"):
            worded = [line.split() for line in paragraph.split("\n") if any(c.isalnum() or c == "_" for c in line)]
            if worded:
                yield " ".join(word for line in worded for word in line)

    from pydoc_data.topics import topics

    found = [p for topic in python_docs().split(TOPIC_BREAK) for p in paragraphs(topic)]
    assert len(found) == len(set(found))
    assert set(found) == {p for topic in topics.values() for p in paragraphs(topic)}


def test_copies_stay_in_the_shortest_topic(monkeypatch):
    whole = "Loops\n=====\n\nA loop.\n\nThe while statement\n-------------------\n\nIt  loops\nlong.\n"
    part = "The while statement\n*******************\n\nIt loops long.\n"
    _topics(monkeypatch, {"all loops": whole, "while": part, "empty": "\n", "copy": part + "\n\n"})
    assert sorted(python_docs().split(TOPIC_BREAK)) == ["Loops\n=====\n\nA loop.", part.strip("\n")]


def test_the_order_hangs_on_the_names_alone(monkeypatch):
    topics = {name: f"About {name}." for name in ("a", "b", "c", "d")}
    order = sorted(topics, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    _topics(monkeypatch, dict(reversed(topics.items())))
    assert python_docs().split(TOPIC_BREAK) == [topics[name] for name in order] != list(topics.values())


def test_a_break_inside_a_topic_is_no_boundary(monkeypatch):
    _topics(monkeypatch, {"a": "One.\n\n\n\n\n\nTwo.", "b": "Three."})
    assert len(python_docs().split(TOPIC_BREAK)) == 2


@pytest.mark.parametrize("stripped", ["whole module", "its dict"])
def test_an_installation_without_its_documentation(monkeypatch, stripped):
    if stripped == "whole module":
        monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    else:
        _topics(monkeypatch, None)
    with pytest.raises(ModuleNotFoundError, match=r"carries no documentation text.*python\.org") as caught:
        python_docs()
    assert sys.executable in str(caught.value)


def test_the_split_of_the_docs_shares_no_topic_and_is_no_easier_than_its_rest():
    found = python_docs()
    train, val = train_validation_split(found, boundary=TOPIC_BREAK)
    assert train.endswith(TOPIC_BREAK) and train + val == found
    assert 0.8 < len(train) / len(found) < 0.97
    tokenizer = CharTokenizer.from_text(found)
    ids, unseen = tokenizer.encode(train), tokenizer.encode(val)
    assert bigram_loss(ids, ids, len(tokenizer)) < bigram_loss(ids, unseen, len(tokenizer)) < 2.8


# Files of text


def _cached(monkeypatch, tmp_path, constant, content):
    file = DataFile(getattr(text, constant).name, "", hashlib.sha256(content).hexdigest(), len(content))
    monkeypatch.setattr(text, constant, file)
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    (tmp_path / file.name).parent.mkdir()
    (tmp_path / file.name).write_bytes(content)
    return tmp_path / file.name


def test_tinyshakespeare(monkeypatch, tmp_path):
    path = _cached(monkeypatch, tmp_path, "TINYSHAKESPEARE", "Ay, madam: über so.\r\n".encode())
    assert tinyshakespeare() == "Ay, madam: über so.\r\n"
    path.write_bytes(b"Ay")
    with pytest.raises(RuntimeError, match="truncated, 2 bytes"):
        tinyshakespeare()


def test_names(monkeypatch, tmp_path):
    _cached(monkeypatch, tmp_path, "NAMES", b"emma\nolivia\n")
    assert names() == ["emma", "olivia"]


# The split


def test_a_split_is_contiguous():
    assert train_validation_split("abcdefghij") == ("abcdefghi", "j")
    assert train_validation_split("abcdefg", 0.5) == ("abc", "defg")


def test_a_split_moves_to_the_nearest_boundary():
    assert train_validation_split("aa--bbbbb--cc", 0.5, "--") == ("aa--", "bbbbb--cc")
    assert train_validation_split("aa--bbbbb--cc", 0.8, "--") == ("aa--bbbbb--", "cc")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("abc", 0.0), "between 0 and 1, got 0.0"),
        (("abc", 1.0), "between 0 and 1, got 1.0"),
        (("abc", 0.1), "3 characters cut at 0 leaves one part empty"),
        (("", 0.5), "leaves one part empty"),
        (("abc-", 0.5, "-"), "cut at 4 leaves one part empty"),
        (("abc", 0.5, "-"), "the boundary '-' does not occur"),
    ],
)
def test_splits_that_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        train_validation_split(*arguments)


# The tokenizer


def test_tokens_are_ranks_of_code_points():
    tokenizer = CharTokenizer.from_text("hello, wörld\n😀")
    assert tokenizer.characters == "\n ,dehlorwö😀" and len(tokenizer) == 12
    tokens = tokenizer.encode("hello 😀")
    assert tokens.dtype == np.int64 and tokens.tolist() == [tokenizer.characters.index(c) for c in "hello 😀"]
    assert tokenizer.decode(tokens) == "hello 😀"


@pytest.mark.parametrize("form", [list, tuple, np.array, lambda t: np.array(t, np.uint8), minigrad.tensor])
def test_decode_takes_what_holds_integers(form):
    assert CharTokenizer("abc").decode(form([2, 0, 1])) == "cab"


def test_nothing_is_encoded_as_nothing():
    assert CharTokenizer("abc").encode("").shape == (0,)
    assert CharTokenizer("abc").decode([]) == ""


@pytest.mark.parametrize("unknown", ["A", "z", "é", "\U0010ffff", "\ud800"])
def test_an_unknown_character_is_named(unknown):
    with pytest.raises(ValueError) as caught:
        CharTokenizer("abc").encode("ab" + unknown + "z")
    for expected in (repr(unknown), f"U+{ord(unknown):04X}", "position 2", "3 characters 'abc'"):
        assert expected in str(caught.value)


def test_unknown_tokens():
    tokenizer = CharTokenizer("abc")
    with pytest.raises(IndexError, match="token 3 is out of range: the vocabulary has tokens 0 to 2"):
        tokenizer.decode([0, 3])
    with pytest.raises(IndexError, match="token -1"):
        tokenizer.decode([-1])
    with pytest.raises(TypeError, match="float64"):
        tokenizer.decode([0.5])
    with pytest.raises(TypeError, match=r"shape \(1, 2\)"):
        tokenizer.decode([[0, 1]])


def test_a_tokenizer_goes_through_a_checkpoint():
    tokenizer = CharTokenizer("b\nüa")
    state = tokenizer.to_dict()
    assert state == {"kind": "char", "characters": "\nabü"}
    assert CharTokenizer.from_dict(state).encode("ab").tolist() == [1, 2]


@pytest.mark.parametrize("state", [{}, {"kind": "bpe", "characters": "ab"}, {"kind": "char", "characters": 5}])
def test_a_dict_that_is_no_tokenizer(state):
    with pytest.raises(ValueError, match="not the dict of a CharTokenizer"):
        CharTokenizer.from_dict(state)


@pytest.mark.parametrize("characters", ["ba", "aab"])
def test_a_vocabulary_that_was_changed(characters):
    with pytest.raises(ValueError, match="different and in order"):
        CharTokenizer.from_dict({"kind": "char", "characters": characters})


def test_a_vocabulary_of_nothing():
    with pytest.raises(ValueError, match="at least one character"):
        CharTokenizer("")


# The yardsticks


def test_the_bigram_loss_by_hand():
    # counts in 0 1 0 1 1: 01 twice, 10 once, 11 once; V = 3, so p(1|0) = 3/5, p(0|1) = 2/5, p(1|1) = 2/5, p(2|1) = 1/5
    train, val = np.array([0, 1, 0, 1, 1]), np.array([0, 1, 2])
    assert bigram_loss(train, val, 3) == pytest.approx(-(math.log(3 / 5) + math.log(1 / 5)) / 2, abs=1e-15)
    assert bigram_loss(train.astype(np.uint8), np.array([1, 0]), 3) == pytest.approx(-math.log(2 / 5), abs=1e-15)


def test_bigrams_never_seen_are_uniform():
    assert bigram_loss(np.array([0, 0]), np.array([5, 6, 7]), 8) == pytest.approx(math.log(8), abs=1e-15)


def test_bigram_loss_of_bad_texts():
    with pytest.raises(ValueError, match="the validation text has 1"):
        bigram_loss(np.array([0, 1]), np.array([0]), 2)
    with pytest.raises(ValueError, match="training text has tokens 0 to 2, expected 0 to 1"):
        bigram_loss(np.array([0, 2]), np.array([0, 1]), 2)


def test_known_words():
    assert known_word_share("The cat, the DOG2; x_y", "A cat and the dog: X") == pytest.approx(5 / 6)
    assert known_word_share("zzz", "a b") == 0.0
    assert known_word_share("Straße naïve", "STRASSE naïve") == 1.0
    assert known_word_share("12 + ...", "a") == 0.0
