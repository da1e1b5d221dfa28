"""Calls of a tokenizer: padding, truncation, pairs, masks, arrays; and special tokens."""

import pickle

import numpy as np
import pytest
from small_vocabularies import bert

import minigrad as mg
from minigrad.text import ByteTokenizer, CharacterTokenizer, Encoding, WordTokenizer, pad
from minigrad.text.encoding import kept_lengths

A, B = "the cat the dog", "hello world hello"


def test_one_text_gives_lists_and_a_list_gives_rows():
    tokenizer = bert()
    one = tokenizer(A)
    assert one == {"input_ids": [2, 10, 11, 10, 12, 3], "token_type_ids": [0] * 6, "attention_mask": [1] * 6}
    assert tokenizer([A]).input_ids == [one["input_ids"]]
    assert (
        tokenizer(A, add_special_tokens=False).input_ids
        == tokenizer.encode(A, add_special_tokens=False)
        == [10, 11, 10, 12]
    )
    assert tokenizer.encode(A) == one.input_ids and tokenizer.tokenize(A) == ["the", "cat", "the", "dog"]
    with pytest.raises(AttributeError, match="no 'labels'; it has input_ids"):
        _ = one.labels


def test_pairs_have_types():
    tokenizer = bert()
    both = tokenizer(A, B)
    assert both.input_ids == [2, 10, 11, 10, 12, 3, 5, 6, 5, 3] and both.token_type_ids == [0] * 6 + [1] * 4
    assert (
        tokenizer.encode(A, B) == tokenizer([(A, B)]).input_ids[0] == tokenizer([A], [B]).input_ids[0] == both.input_ids
    )
    assert (tokenizer.num_special_tokens_to_add(), tokenizer.num_special_tokens_to_add(pair=True)) == (2, 3)


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding(side):
    tokenizer = bert(padding_side=side)
    rows = tokenizer([A, "cat"], padding=True, return_special_tokens_mask=True)
    short = {"right": [2, 11, 3, 0, 0, 0], "left": [0, 0, 0, 2, 11, 3]}[side]
    assert rows.input_ids[1] == short and rows.attention_mask[1] == [int(i > 0) for i in short]
    assert rows.special_tokens_mask[1] == [int(i < 5) for i in short]
    assert tokenizer(["cat"], padding="max_length", max_length=6).input_ids == [short]
    for kind, expected in (("np", np.ndarray), ("mg", mg.Tensor), ("pt", mg.Tensor)):
        arrays = tokenizer([A, "cat"], padding="longest", return_tensors=kind, return_offsets_mapping=True)
        assert all(isinstance(value, expected) for value in arrays.values())
        assert arrays.input_ids.tolist() == rows.input_ids and arrays.attention_mask.tolist() == rows.attention_mask
        assert arrays.input_ids.dtype == (np.int64 if kind == "np" else mg.int64)
        places = [[0, 3] if token == 11 else [0, 0] for token in short]
        assert arrays.offset_mapping[1].tolist() == places


def test_tensors_of_one_text_have_a_batch_axis():
    tokenizer = bert()
    assert tokenizer("cat", return_tensors="pt").input_ids.shape == (1, 3)
    assert tokenizer.encode("cat", return_tensors="mg").tolist() == [[2, 11, 3]]
    assert tokenizer([], return_tensors="np", padding=True).input_ids.shape == (0, 0)
    moved = tokenizer("cat", return_tensors="mg").to("cpu")
    assert isinstance(moved, Encoding) and moved.input_ids.device.type == "cpu"
    assert pickle.loads(pickle.dumps(tokenizer("cat"))) == tokenizer("cat")


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
def test_truncation_is_the_librarys(strategy, side):
    """Lengths around all the cases, against what `tokenizers` does itself."""
    tokenizer, other = bert(truncation_side=side), bert()
    for n in range(6):
        for m in (None, 0, 1, 3, 4, 5):
            for length in range(4, 14):
                first, second = list("abcdab")[:n], None if m is None else list("dcbaab")[:m]
                texts = [" ".join(words) for words in (first, second) if words is not None]
                other.library.enable_truncation(length, strategy=strategy, direction=side)
                try:
                    expected = other.library.encode(*texts)
                except Exception:  # the library refuses, or panics where there is no second text
                    expected = None
                alone = second is None and strategy == "only_second"  # refused here whatever the lengths
                if alone or expected is None or len(expected.ids) > length:
                    with pytest.raises(ValueError):
                        tokenizer(*texts, truncation=strategy, max_length=length)
                else:
                    found = tokenizer(*texts, truncation=strategy, max_length=length)
                    assert (found.input_ids, found.token_type_ids) == (expected.ids, expected.type_ids), (n, m, length)


def test_what_a_length_alone_means():
    tokenizer = bert()
    assert len(tokenizer(A, max_length=4).input_ids) == 4  # truncates, as in transformers
    assert len(tokenizer(A, max_length=4, padding="max_length").input_ids) == 6  # pads only
    assert len(tokenizer(A, max_length=4, truncation=False).input_ids) == 6
    tokenizer.model_max_length = 5
    assert len(tokenizer(A, truncation=True).input_ids) == 5
    assert len(tokenizer("cat", padding="max_length").input_ids) == 5


def test_which_entries_there_are():
    tokenizer = bert()
    assert list(tokenizer(A, return_token_type_ids=False)) == ["input_ids", "attention_mask"]
    assert list(tokenizer(A, return_attention_mask=False)) == ["input_ids", "token_type_ids"]
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    assert list(tokenizer(A)) == ["input_ids", "attention_mask"]
    assert list(tokenizer(A, return_token_type_ids=True)) == ["input_ids", "attention_mask", "token_type_ids"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t(A, truncation=True), ValueError, "truncation=True needs max_length"),
        (lambda t: t(A, padding="max_length"), ValueError, "padding='max_length' needs max_length"),
        (lambda t: t(A, truncation="only_second", max_length=4), ValueError, "'only_second' needs a text_pair"),
        (
            lambda t: t("a", B, truncation="only_first", max_length=4),
            ValueError,
            "must save 3 tokens, but the first text has 1",
        ),
        (lambda t: t(A, truncation="shortest", max_length=4), ValueError, "one of longest_first, only_first"),
        (lambda t: t(A, truncation=True, max_length=1), ValueError, "no room for the 2 special tokens"),
        (lambda t: t(A, max_length=0), ValueError, "max_length must be 1 or more, got 0"),
        (lambda t: t(A, max_length="8"), TypeError, "max_length must be an integer, got '8'"),
        (
            lambda t: t(A, padding="left"),
            ValueError,
            "padding must be False, True, 'longest' or 'max_length', got 'left'",
        ),
        (lambda t: t([A, B], return_tensors="np"), ValueError, "rows of 5 to 6 tokens make no array: use padding=True"),
        (lambda t: t([A, B], padding="max_length", max_length=5, return_tensors="np"), ValueError, "truncation=True"),
        (lambda t: t(A, return_tensors="tf"), ValueError, "got 'tf'"),
        (lambda t: t(b"cat"), TypeError, "decode it first"),
        (lambda t: t(None), TypeError, "must be a string, got NoneType"),
        (lambda t: t([["the", "cat"]]), TypeError, "must be a string, got list"),
        (lambda t: t("caf\udce9"), ValueError, r"'\udce9', at position 3"),
        (lambda t: t([A, B], [A]), ValueError, "got 2 texts and text_pair is 1"),
        (lambda t: t(A, [B]), TypeError, "must both be strings"),
        (lambda t: t.encode([A]), TypeError, "encode takes one text"),
        (
            lambda t: t.decode([5, 30]),
            IndexError,
            "token 30 is not in the vocabulary of 30 tokens, which has ids 0 to 29",
        ),
        (lambda t: t.decode([-1]), IndexError, "token -1 is not in the vocabulary .* no negative ids"),
        (lambda t: t.decode([1.5]), TypeError, "must be integers in one dimension, got float64"),
        (lambda t: t.decode([[1]]), TypeError, "batch_decode takes several rows"),
        (lambda t: setattr(t, "pad_token", "<pad>"), ValueError, "add_special_tokens"),
        (lambda t: setattr(t, "pad_token_id", 99), IndexError, "token 99 is not in the vocabulary"),
        (lambda t: t.add_special_tokens({"end_token": "cat"}), ValueError, "'end_token' is no special token's role"),
        (lambda t: bert(padding_side="both"), ValueError, "padding_side must be 'right' or 'left', got 'both'"),
    ],
)
def test_bad_calls(call, error, message):
    with pytest.raises(error, match=message.replace("\\", "\\\\")):
        call(bert())


def test_padding_needs_a_token():
    tokenizer = ByteTokenizer({"eos_token": "</s>"})
    assert tokenizer.pad_token is None and tokenizer.pad_token_id is None
    with pytest.raises(ValueError, match=r"tokenizer.pad_token = tokenizer.eos_token"):
        tokenizer(["a", "ab"], padding=True)
    tokenizer.pad_token = tokenizer.eos_token
    assert tokenizer(["a", "ab"], padding=True).input_ids == [[97, 256], [97, 98]]


@pytest.mark.parametrize("tokenizer", [bert(), ByteTokenizer(), CharacterTokenizer.from_texts(["a catdogs"])], ids=repr)
def test_special_tokens(tokenizer):
    size = len(tokenizer)
    assert set(tokenizer.all_special_ids) <= set(range(size)) and tokenizer.pad_token_id in tokenizer.all_special_ids
    assert tokenizer.add_special_tokens({"pad_token": "<|p|>", "additional_special_tokens": ["<x>", "<|p|>"]}) == 2
    assert len(tokenizer) == size + 2 and tokenizer.pad_token_id == size and "<x>" in tokenizer.all_special_tokens
    ids = tokenizer.encode("cat<x>dog", add_special_tokens=False)
    assert ids.count(size + 1) == 1 and "<x>" in tokenizer.decode(ids)
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == "catdog"
    assert tokenizer.convert_tokens_to_ids(["<x>", "<|p|>"]) == [size + 1, size]
    assert tokenizer.convert_ids_to_tokens([size + 1, size]) == ["<x>", "<|p|>"]
    assert tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=True) == tokenizer.tokenize(
        "cat"
    ) + tokenizer.tokenize("dog")
    assert tokenizer.get_vocab()["<x>"] == size + 1 and len(tokenizer.get_vocab()) == size + 2
    tokenizer.pad_token = None
    assert tokenizer.pad_token_id is None


def test_special_tokens_of_strangers_can_be_text():
    for tokenizer in (bert(), WordTokenizer.from_texts(["the [ MASK ] cat"], lowercase=False)):
        assert tokenizer.mask_token_id in tokenizer.encode("the [MASK]")
        tokenizer.split_special_tokens = True
        assert tokenizer.mask_token_id not in tokenizer.encode("the [MASK]")


def test_decode_takes_ints_arrays_and_tensors():
    tokenizer = bert()
    for ids in ([5, 6], (5, 6), np.array([5, 6]), mg.tensor([5, 6]), iter([5, 6])):
        assert tokenizer.decode(ids) == "hello world"
    assert tokenizer.decode(5) == tokenizer.decode(np.int64(5)) == tokenizer.decode(mg.tensor(5)) == "hello"
    assert tokenizer.decode([]) == "" and tokenizer.batch_decode(mg.tensor([[5], [6]])) == ["hello", "world"]
    assert tokenizer.decode(tokenizer.encode("don't, cat."), skip_special_tokens=True) == "don't, cat."
    tokenizer.clean_up_tokenization_spaces = False
    assert tokenizer.decode([15, 9, 14]) == "don ' t"
    assert tokenizer.decode([15, 9, 14], clean_up_tokenization_spaces=True) == "don't"
    assert tokenizer.batch_decode([[15, 9, 14]], clean_up_tokenization_spaces=True) == ["don't"]


def test_empty_text_has_only_special_tokens():
    assert bert().encode("") == [2, 3] and bert()(["", "cat"], padding=True).input_ids[0] == [2, 3, 0]
    assert ByteTokenizer().encode("") == [] and ByteTokenizer(add_bos_token=True, add_eos_token=True).encode("") == [
        257,
        258,
    ]


def test_pad():
    tokens, mask = pad([[1, 2], [], [3]], 9)
    assert tokens.tolist() == [[1, 2], [9, 9], [3, 9]] and mask.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert tokens.dtype == mask.dtype == np.int64
    assert pad([mg.tensor([1, 2]), np.array([3])], 0, side="left", length=3)[0].tolist() == [[0, 1, 2], [0, 0, 3]]
    assert pad([], 0)[0].shape == (0, 0)
    with pytest.raises(ValueError, match="a sequence of 2 tokens does not fit into length=1"):
        pad([[1, 2]], 0, length=1)
    with pytest.raises(ValueError, match="side must be"):
        pad([[1]], 0, side="both")


def test_kept_lengths_by_hand():
    assert kept_lengths(10, 4, 9, "longest_first") == (5, 4) and kept_lengths(4, 10, 9, "longest_first") == (4, 5)
    assert kept_lengths(10, 10, 9, "longest_first") == (4, 5) and kept_lengths(3, None, 2, "longest_first") == (2, 0)
