"""TransformerDecoderLayer, TransformerDecoder, Transformer: PyTorch's figures, masks, errors."""

import json
from pathlib import Path

import decoder_cases as cases
import layer_cases
import numpy as np
import pytest
from test_layers import close

import minigrad as mg
from minigrad import nn

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "decoder.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers():
    return cases.decoders(mg)


@pytest.mark.parametrize("what", RECORDED["decoders"])
def test_values_and_gradients_are_pytorchs(answers, what):
    close(answers[what], RECORDED["decoders"][what])


def test_dropout_draws_in_pytorchs_order():
    close(cases.in_training(mg), RECORDED["in training"])


def test_repr_names_and_initial_weights_are_pytorchs():
    assert cases.initial(mg) == RECORDED["initial"]


def test_errors_are_of_pytorchs_types_and_begin_alike():
    mine = cases.errors(mg)
    assert list(mine) == list(RECORDED["errors"])
    for name, (kind, text) in RECORDED["errors"].items():
        assert mine[name][0] == kind
        assert mine[name][1].startswith(text)


def test_gradients_are_those_of_finite_differences():
    layer = layer_cases.fill(mg, nn.TransformerDecoderLayer(4, 2, 3, dropout=0.0, activation="gelu"))
    given = layer_cases.inputs(mg, cases.pair())
    mask = mg.from_numpy(layer_cases.FLOAT_MASK)
    assert mg.gradcheck(lambda tgt, memory: layer(tgt, memory, mask), given, atol=1e-5)


def test_the_causal_mask_hides_the_future_of_the_target():
    module = nn.Transformer(4, 2, 1, 2, 8, batch_first=True).eval()
    src, tgt = mg.randn(1, 4, 4), mg.randn(1, 5, 4)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    later = tgt.clone()
    later[:, 3:] = 9.0
    before, after = (module(src, x, tgt_mask=mask)[:, :3].detach().numpy() for x in (tgt, later))
    np.testing.assert_array_equal(before, after)
    assert not np.allclose(module(src, tgt)[:, :3].detach().numpy(), before)


def test_the_decoder_finds_the_causal_mask_by_itself():
    seen = []

    class Layer(nn.Module):
        def forward(self, tgt, memory, tgt_is_causal, **masks):
            seen.append(tgt_is_causal)
            return tgt

    stack, x = nn.TransformerDecoder(Layer(), 1), mg.zeros(3, 1, 4)
    for mask in (nn.Transformer.generate_square_subsequent_mask(3), mg.ones(3, 3).triu(1).bool(), mg.zeros(3, 3), None):
        stack(x, x, mask)
    stack(x, x, mg.zeros(3, 3), tgt_is_causal=True)
    assert seen == [True, True, False, False, True]


def test_stacks_of_ones_own_take_the_places_of_encoder_and_decoder():
    class Encoder(nn.Module):
        def forward(self, src, mask, src_key_padding_mask, is_causal):
            return 2 * src

    class Decoder(nn.Module):
        def forward(self, tgt, memory, **masks):
            return tgt + memory

    module = nn.Transformer(4, 2, custom_encoder=Encoder(), custom_decoder=Decoder())
    assert (module(mg.ones(3, 1, 4), mg.ones(3, 1, 4)) == 3).all()
    assert not list(module.parameters())
