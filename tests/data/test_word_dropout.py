"""Word dropout: how many words go, which ones stay, and that the batch itself is as it was."""

import pytest

import minigrad as mg
from minigrad.data import word_dropout


def test_the_share_is_p_and_the_marks_stay():
    tokens = mg.arange(4).repeat(100, 25)  # 0 padding, 1 a mark
    before = tokens.clone()
    out = word_dropout(tokens, 0.3, unk_id=9, keep_ids=(0, 1))
    assert tokens.equal(before) and out.dtype is mg.int64 and out.shape == tokens.shape
    gone = out != tokens
    assert bool((out[gone] == 9).all()) and not bool(gone[tokens < 2].any())
    assert abs(float(gone[tokens >= 2].float().mean()) - 0.3) < 0.03


def test_edges_and_seeds():
    tokens = mg.tensor([[5, 6, 7], [8, 0, 0]])
    assert word_dropout(tokens, 0.0, 1).equal(tokens)
    assert word_dropout(tokens, 1.0, 1, [0]).tolist() == [[1, 1, 1], [1, 0, 0]]
    many = mg.arange(10, 1010)
    drawn = [word_dropout(many, 0.5, 1, generator=mg.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert drawn[0].equal(drawn[1]) and not drawn[0].equal(drawn[2])
    assert word_dropout(mg.zeros(0, 3, dtype=mg.int32), 0.5, 1).shape == (0, 3)


def test_errors():
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got 1.2"):
        word_dropout(mg.tensor([1]), 1.2, 0)
    with pytest.raises(TypeError, match="tokens are integers, got torch.float32"):
        word_dropout(mg.tensor([1.0]), 0.5, 0)
    with pytest.raises(TypeError, match="'tokens' must be Tensor, not list"):
        word_dropout([1], 0.5, 0)
