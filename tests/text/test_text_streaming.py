"""Streaming: the parts together are the text, and no part shows half of anything."""

import functools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from small_vocabularies import bert, llama2c, write_gpt2

import minigrad as mg
from minigrad.text import ByteTokenizer, Streamer, WordTokenizer, load_tokenizer, train_sentencepiece


@functools.cache
def tokenizers():
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        gpt2 = load_tokenizer(write_gpt2(Path(folder)))
    words = WordTokenizer.from_texts(["a b, c. d! don't it's ' n't 's"])
    cleaned = ByteTokenizer(clean_up_tokenization_spaces=True)
    return [ByteTokenizer(), cleaned, gpt2, llama2c(), bert(), bert(clean_up_tokenization_spaces=False), words,
            train_sentencepiece(["hello world 我们 hello"] * 3, 285)]  # fmt: skip


@given(st.data(), st.booleans())
@pytest.mark.parametrize("which", range(8))
def test_parts_are_the_text_of_any_tokens(which, data, skip):
    tokenizer = tokenizers()[which]
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=12))
    streamer = Streamer(tokenizer, skip_special_tokens=skip)
    parts = [streamer.put(token) for token in ids]
    assert "".join(parts) + streamer.end() == tokenizer.decode(ids, skip_special_tokens=skip)


@given(
    st.text(
        st.sampled_from("low er.,'!?ns我们😀é\n")
        | st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")
    )
)
@pytest.mark.parametrize("which", [0, 1, 2, 3, 7])
def test_parts_are_whole_characters(which, text):
    tokenizer = tokenizers()[which]
    streamer = Streamer(tokenizer)
    ids = tokenizer.encode(text)
    parts = [*(streamer.put(token) for token in ids), streamer.end()]
    assert "".join(parts) == tokenizer.decode(ids, skip_special_tokens=True) and "\ufffd" not in "".join(parts)


def test_characters_come_when_their_last_byte_does():
    streamer = Streamer(ByteTokenizer())
    assert [streamer.put(byte) for byte in "a我".encode()] == ["a", "", "", "我"] and streamer.end() == ""
    assert streamer.put(0xE6) == "" and streamer.end() == "\ufffd"
    assert "".join(streamer.put(byte) for byte in [0xFF] * 9) == "\ufffd" * 8 and streamer.end() == "\ufffd"


def test_a_prompt_decides_about_the_first_space():
    tokenizer = llama2c()
    ids = tokenizer.encode("hell hell", add_special_tokens=False)
    assert Streamer(tokenizer).put(ids[1]) == "hell" and Streamer(tokenizer, prompt=ids[:1]).put(ids[1]) == " hell"
    byte = Streamer(ByteTokenizer(), prompt=mg.tensor(list("我".encode())[:2]))
    assert byte.put(np.int64("我".encode()[2])) == "我"
    assert byte.put(mg.tensor([65])) == "A" and byte.put(mg.tensor(66)) == "B"


def test_words_wait_for_what_may_be_joined_to_them():
    tokenizer = bert()
    streamer = Streamer(tokenizer)
    parts = [streamer.put(token) for token in tokenizer.encode("the cat don't play.")]
    assert "".join(parts) == "the cat" and streamer.end() == " don't play."


@pytest.mark.parametrize("make", [ByteTokenizer, lambda: bert(clean_up_tokenization_spaces=False)])
def test_a_long_text_is_not_decoded_anew_for_each_token(make, monkeypatch):
    tokenizer = make()
    decode, lengths = tokenizer.decode, []
    monkeypatch.setattr(tokenizer, "decode", lambda ids, **how: lengths.append(len(ids)) or decode(ids, **how))
    streamer = Streamer(tokenizer)
    assert len("".join(streamer.put(token) for token in tokenizer.encode("playing the cat " * 40))) > 500
    assert max(lengths) < 10
