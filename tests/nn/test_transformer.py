"""MultiheadAttention, TransformerEncoderLayer, TransformerEncoder: PyTorch's figures, masks, errors."""

import json
import math
from pathlib import Path

import layer_cases as cases
import numpy as np
import pytest
from test_layers import close

import minigrad as mg
from minigrad import nn
from minigrad.nn.transformer import generate_square_subsequent_mask

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "nn.json").read_text(encoding="utf-8"))


def test_attention_is_pytorchs():
    close(cases.attention(mg), RECORDED["attention"])


def test_encoders_are_pytorchs():
    close(cases.encoders(mg), RECORDED["encoders"])


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_gradients(need_weights):
    module = cases.fill(mg, nn.MultiheadAttention(4, 2))
    query, key, value = cases.inputs(mg, [cases.wave(2, 2, 4), cases.wave(3, 2, 4), cases.wave(3, 2, 4, phase=0.4)])
    mask = mg.from_numpy(np.array(cases.PADDING))
    assert mg.gradcheck(lambda q, k, v: module(q, k, v, mask, need_weights)[0], (query, key, value), atol=1e-5)


def test_encoder_layer_gradients():
    layer = cases.fill(mg, nn.TransformerEncoderLayer(4, 2, 3, activation="gelu")).eval()
    (x,) = cases.inputs(mg, [cases.wave(3, 1, 4)])
    assert mg.gradcheck(lambda x: layer(x, generate_square_subsequent_mask(3, dtype=mg.float64)), (x,), atol=1e-5)


def test_attention_weights_sum_to_one_and_respect_the_mask():
    module, x = nn.MultiheadAttention(4, 2), mg.from_numpy(cases.wave(3, 2, 4)).float()
    _, weights = module(x, x, x, attn_mask=generate_square_subsequent_mask(3))
    np.testing.assert_allclose(weights.sum(-1).detach().numpy(), np.ones((2, 3)), rtol=1e-6)
    assert (weights.triu(1) == 0).all()


def test_causal_output_does_not_depend_on_the_future():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
    x = mg.from_numpy(cases.wave(1, 5, 4)).float()
    mask = generate_square_subsequent_mask(5)
    later = x.clone()
    later[:, 3:] = 9.0
    np.testing.assert_array_equal(layer(x, mask)[:, :3].detach().numpy(), layer(later, mask)[:, :3].detach().numpy())


def test_padding_does_not_change_the_rest():
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2).eval()
    x = mg.from_numpy(cases.wave(1, 5, 4)).float()
    padding = mg.tensor([[False, False, False, True, True]])
    short, padded = stack(x[:, :3]), stack(x, src_key_padding_mask=padding)
    np.testing.assert_allclose(padded[:, :3].detach().numpy(), short.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_causal_mask():
    assert generate_square_subsequent_mask(2).tolist() == [[0.0, -math.inf], [0.0, 0.0]]


def test_the_encoder_finds_the_causal_mask_by_itself():
    seen = []

    class Layer(nn.Module):
        def forward(self, src, src_mask, src_key_padding_mask, is_causal):
            seen.append(is_causal)
            return src

    stack, x = nn.TransformerEncoder(Layer(), 1), mg.zeros(3, 1, 4)
    for mask in (
        generate_square_subsequent_mask(3),
        mg.ones(3, 3).triu(1).bool(),
        mg.zeros(3, 3),
        mg.zeros(2, 3, 3),
        None,
    ):
        stack(x, mask)
    stack(x, mg.zeros(3, 3), is_causal=True)
    assert seen == [True, True, False, False, False, True]


def test_the_copies_in_an_encoder_are_separate():
    layer = nn.TransformerEncoderLayer(4, 2, 8)
    stack = nn.TransformerEncoder(layer, 2)
    first, second = (x.linear1.weight for x in stack.layers)
    assert first.equal(second) and first is not second and first is not layer.linear1.weight
    assert len(list(stack.parameters())) == 2 * len(list(layer.parameters()))


def test_a_module_as_activation_is_a_child():
    layer = nn.TransformerEncoderLayer(4, 2, 8, activation=nn.SiLU())
    assert isinstance(layer.get_submodule("activation"), nn.SiLU)


Q, KEYS, BATCH_4 = mg.zeros(3, 2, 4), mg.zeros(5, 2, 4), mg.zeros(5, 4, 4)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: nn.MultiheadAttention(5, 2), AssertionError, "embed_dim must be divisible by num_heads, got 5 and 2"),
        (lambda: nn.MultiheadAttention(0, 2), ValueError, "must be greater than 0"),
        (lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True), NotImplementedError, "add_bias_kv"),
        (lambda: nn.MultiheadAttention(4, 2, add_zero_attn=True), NotImplementedError, "add_zero_attn"),
        (lambda: nn.MultiheadAttention(4, 2)(Q, Q, KEYS), AssertionError, "do not match value's"),
        (lambda: nn.MultiheadAttention(6, 2)(Q, Q, Q), AssertionError, r"embedding dimensions \(6, 6, 6\)"),
        (lambda: nn.MultiheadAttention(4, 2)(Q, BATCH_4, BATCH_4), AssertionError, "differ in batch size"),
        (lambda: nn.MultiheadAttention(4, 2)(Q[0], Q, Q), AssertionError, "all 3-D, or all 2-D"),
        (lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, is_causal=True), RuntimeError, "Need attn_mask"),
        (
            lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, attn_mask=mg.zeros(2, 2)),
            RuntimeError,
            r"The shape of the 2D attn_mask is torch.Size\(\[2, 2\]\), but should be \(3, 3\)",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, attn_mask=mg.zeros(1, 3, 3)),
            RuntimeError,
            r"but should be \(4, 3, 3\)",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, attn_mask=mg.zeros(3)),
            RuntimeError,
            "dimension 1 is not supported",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, mg.zeros(2, 2).bool()),
            AssertionError,
            r"expected key_padding_mask of shape \(2, 3\), but got \(2, 2\)",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, mg.zeros(2, 3).long()),
            AssertionError,
            "only bool and floating types",
        ),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), RuntimeError, "should be relu/gelu, not tanh"),
    ],
)
def test_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
