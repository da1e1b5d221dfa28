"""The encoder-decoder: its gradient, learning, masks on both sides, the cache, alone and with beams, the schedule."""

import math

import pytest
from model_checks import gradient_error, loss_after

import minigrad as mg
from models.generation import beam_search, generate
from models.transformer import AttentionMaps, Transformer, TransformerConfig, noam, sinusoids

V = 11  # 0 is padding, 1 begins, 2 ends


def tiny(**changes) -> Transformer:
    sizes = {"vocab_size": V, "encoder_layers": 2, "decoder_layers": 2, "heads": 2, "channels": 8, "hidden": 12}
    return Transformer(TransformerConfig(**{**sizes, "dropout": 0.0, **changes}))


def pairs(rows: int = 3, S: int = 5, T: int = 4) -> tuple[mg.Tensor, mg.Tensor, mg.Tensor]:
    """Random source (B, S), what the decoder sees (B, T), and what it should answer (B, T)."""
    target = mg.randint(3, V, (rows, T - 1))
    begin, end = mg.full((rows, 1), 1, dtype=mg.int64), mg.full((rows, 1), 2, dtype=mg.int64)
    return mg.randint(3, V, (rows, S)), mg.cat((begin, target), 1), mg.cat((target, end), 1)


def padded(tokens: mg.Tensor, count: int, left: bool) -> tuple[mg.Tensor, mg.Tensor]:
    """tokens with `count` places of padding (any token does) on one side, and the mask."""
    filler = mg.randint(V, (len(tokens), count))
    parts = [(filler, mg.zeros(filler.shape)), (tokens, mg.ones(tokens.shape))]
    parts = parts if left else parts[::-1]
    return mg.cat([part for part, _ in parts], 1), mg.cat([mask for _, mask in parts], 1)


@pytest.mark.parametrize(
    "changes",
    [{}, {"norm_first": True, "tied": "output", "target_vocab_size": 13}, {"tied": "none", "label_smoothing": 0.0}],
    ids=["post-norm", "pre-norm, two vocabularies", "untied"],
)
def test_gradient(changes):
    model = tiny(**changes).double()
    source, tokens, targets = pairs()
    mask = mg.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    target_mask = mg.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]])
    assert gradient_error(model, lambda: model(source, tokens, targets, mask, target_mask)[1]) < 1e-6


@pytest.mark.parametrize("norm_first", [False, True])
def test_learns_one_batch_by_heart(norm_first):
    model = tiny(channels=32, hidden=64, label_smoothing=0.0, norm_first=norm_first)
    source, tokens, targets = pairs(6)
    assert loss_after(model, lambda: model(source, tokens, targets)[1], 100) < 0.05
    assert mg.equal(model.generate(source, max_new_tokens=4)[:, 1:], targets)


def test_label_smoothing_counts_while_training_only():
    model = tiny(label_smoothing=0.2)
    batch = pairs()
    logits, smooth = model(*batch)
    log_p = logits.log_softmax(-1)
    plain = -log_p.gather(2, batch[2].unsqueeze(2)).mean()
    uniform = -log_p.mean()
    assert smooth.item() == pytest.approx(0.8 * plain.item() + 0.2 * uniform.item(), rel=1e-5)
    assert model.eval()(*batch)[1].item() == pytest.approx(plain.item(), rel=1e-5)


def test_tying():
    one = tiny()
    assert one.embedding.weight is one.target_embedding.weight is one.output.weight
    two = tiny(tied="output", target_vocab_size=13)
    assert two.embedding.weight.shape == (V, 8) and two.target_embedding.weight is two.output.weight
    three = tiny(tied="none")
    assert len({id(m.weight) for m in (three.embedding, three.target_embedding, three.output)}) == 3


def test_parameters_of_the_base_model():
    """The paper's table says 65 million, with a vocabulary of about 37,000; the count needs the shapes alone."""
    C, F, L, vocabulary = 512, 2048, 6, 37000
    attention, feed_forward, norm = 4 * (C * C + C), 2 * C * F + F + C, 2 * C
    whole = vocabulary * C + L * (3 * attention + 2 * feed_forward + 5 * norm)
    assert abs(whole / 65e6 - 1) < 0.05
    small = tiny(channels=8, hidden=32, encoder_layers=1, decoder_layers=1)
    C, F = 8, 32
    attention, feed_forward, norm = 4 * (C * C + C), 2 * C * F + F + C, 2 * C
    assert sum(p.numel() for p in small.parameters()) == V * C + 3 * attention + 2 * feed_forward + 5 * norm


def test_positions():
    table = sinusoids(7, 6, mg.zeros(1, dtype=mg.float64))
    for t in (0, 1, 6):
        for i in range(3):
            angle = t / 10000 ** (2 * i / 6)
            assert table[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-12)
            assert table[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-12)


def test_the_decoder_does_not_see_what_comes():
    model = tiny().eval()
    source, tokens, _ = pairs(1)
    changed = tokens.clone()
    changed[0, 2] = (changed[0, 2] + 1) % V
    before, after = model(source, tokens)[0], model(source, changed)[0]
    assert mg.equal(before[:, :2], after[:, :2])
    assert not mg.equal(before[:, 2:], after[:, 2:])
    changed = source.clone()
    changed[0, 4] = (changed[0, 4] + 1) % V
    assert not mg.equal(model(changed, tokens)[0][:, 0], before[:, 0])  # but all of the source


@pytest.mark.parametrize("left", [True, False], ids=["left", "right"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_padding_changes_no_logit(left, norm_first):
    model = tiny(norm_first=norm_first).eval()
    source, tokens, targets = pairs()
    logits, loss = model(source, tokens, targets)
    long_source, source_mask = padded(source, 3, left)
    long_tokens, mask = padded(tokens, 2, left)
    long_targets, _ = padded(targets, 2, left)
    real = slice(2, None) if left else slice(0, 4)
    for again in (
        model(long_source, tokens, targets, source_mask),
        model(source, long_tokens, long_targets, mask=mask),
        model(long_source, long_tokens, long_targets, source_mask, mask),
    ):
        found = again[0] if again[0].size(1) == 4 else again[0][:, real]
        assert (found - logits).abs().max() < 1e-5
        assert again[1].item() == pytest.approx(loss.item(), abs=1e-6)
    assert mg.equal(model.generate(long_source, source_mask, 6), model.generate(source, max_new_tokens=6))
    beams = {"num_beams": 3, "max_new_tokens": 6}
    assert mg.equal(model.generate(long_source, source_mask, **beams), model.generate(source, **beams))


@pytest.mark.parametrize("left", [True, False, None], ids=["left", "right", "whole"])
def test_what_is_kept_of_the_past_changes_nothing(left):
    model = tiny().eval()
    source, tokens, _ = pairs(3, 5, 6)
    source_mask = None if left is None else mg.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    source_mask = source_mask.flip(1) if left else source_mask
    writer = model.writer(source, source_mask)
    with mg.no_grad():
        whole, _ = model(source, tokens, source_mask=source_mask)
        for pieces in ([1] * 6, [3, 1, 2], [6]):
            past, stop = writer.new_past(3, 6), 0
            for piece in pieces:
                stop += piece
                logits = writer.next_logits(tokens[:, stop - piece : stop], past)
                assert past.length == stop
                assert (logits - whole[:, stop - 1]).abs().max() < 1e-4
                assert (writer.next_logits(tokens[:, :stop]) - whole[:, stop - 1]).abs().max() < 1e-4


@pytest.mark.parametrize("how", [{}, {"num_beams": 4}, {"num_beams": 2, "length_penalty": 0.6}], ids=str)
def test_generate_with_and_without_cache(how):
    model = tiny(channels=16).eval()
    source, _, _ = pairs(4)
    source_mask = mg.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 0, 0, 0, 0]])
    cached = model.generate(source, source_mask, 7, **how)
    assert mg.equal(cached, model.generate(source, source_mask, 7, use_cache=False, **how))
    for row in range(4):  # and no row depends on its neighbours
        S = int(source_mask[row].sum())
        alone = model.generate(source[row : row + 1, :S], max_new_tokens=7, **how)
        assert mg.equal(cached[row : row + 1, : alone.size(1)], alone)
    assert model.training is False and model.train().generate(source, max_new_tokens=2).shape == (4, 3)
    assert model.training


def test_the_keys_of_the_source_are_computed_once(monkeypatch):
    model = tiny()
    source, tokens, _ = pairs(2, 5, 6)
    writer = model.writer(source)
    past, calls = writer.new_past(2, 6), []
    for layer in model.decoder:
        of = layer.source_attention.keys_and_values
        monkeypatch.setattr(layer.source_attention, "keys_and_values", lambda m, of=of: calls.append(1) or of(m))
    with mg.no_grad():
        for t in range(6):
            writer.next_logits(tokens[:, t : t + 1], past)
    assert len(calls) == 2  # one a layer
    before = past.memory
    past.choose(mg.tensor([0, 1]))
    assert past.memory is before  # nothing moved
    past.choose(mg.tensor([1, 1, 0]))
    assert mg.equal(past.memory[0], before[1]) and past.of_source(model.decoder[0].source_attention)[0].size(0) == 3


def test_beam_search_finds_what_greedy_misses():
    """Never a worse score than greedy's, on sequences scored by the model itself."""
    model = tiny(channels=16).eval()
    source, _, _ = pairs(5)

    def score(tokens: mg.Tensor) -> list[float]:
        log_p = model(source, tokens[:, :-1])[0].log_softmax(-1)
        return log_p.gather(2, tokens[:, 1:].unsqueeze(2)).sum((1, 2)).tolist()

    start = mg.full((5, 1), 1, dtype=mg.int64)
    greedy = generate(model.writer(source), start, 4, temperature=0)
    best = beam_search(model.writer(source), start, 4, num_beams=V**2)
    assert all(a >= b - 1e-5 for a, b in zip(score(best), score(greedy), strict=True))
    assert sum(score(best)) > sum(score(greedy))


def test_attention_maps():
    model = tiny().eval()
    source, tokens, _ = pairs(2)
    source_mask = mg.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    maps = AttentionMaps()
    logits, _ = model(source, tokens, source_mask=source_mask, maps=maps)
    assert (logits - model(source, tokens, source_mask=source_mask)[0]).abs().max() < 1e-5
    assert [w.shape for w in maps.encoder] == [(2, 2, 5, 5)] * 2
    assert [w.shape for w in maps.decoder] == [(2, 2, 4, 4)] * 2
    assert [w.shape for w in maps.source] == [(2, 2, 4, 5)] * 2
    for weights in maps.encoder + maps.decoder + maps.source:
        assert (weights.sum(-1) - 1).abs().max() < 1e-6
    assert maps.source[0][1, :, :, 3:].max() == 0 and maps.encoder[1][1, :, :, 3:].max() == 0
    assert maps.decoder[0].triu(1).max() == 0


def test_schedule():
    assert noam(1, 512) == pytest.approx(512**-0.5 * 4000**-1.5)
    assert noam(4000, 512) == pytest.approx(1 / math.sqrt(512 * 4000))  # the peak, 7e-4
    assert noam(16000, 512) == pytest.approx(noam(4000, 512) / 2)
    assert noam(2000, 512) == pytest.approx(noam(4000, 512) / 2)
    assert noam(100, 256, warmup=100, factor=2.0) == pytest.approx(2 / math.sqrt(256 * 100))
    with pytest.raises(ValueError, match="count from 1, got step 0"):
        noam(0, 512)


def test_saved_and_loaded(tmp_path):
    pytest.importorskip("minigrad.io")
    for changes in ({}, {"tied": "output", "target_vocab_size": 13, "norm_first": True}, {"tied": "none"}):
        model = tiny(**changes).eval()
        model.save(tmp_path / "model")
        again = Transformer.load(tmp_path / "model")
        source, tokens, _ = pairs()
        assert again.config == model.config and not again.training
        assert mg.equal(again(source, tokens)[0], model(source, tokens)[0])
        assert (again.output.weight is again.embedding.weight) == (model.config.tied == "all")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, r"channels \(8\) must be a multiple of heads \(3\)"),
        ({"channels": 9, "heads": 3}, "channels must be even"),
        ({"tied": "some"}, "tied must be one of all, output, none, got 'some'"),
        ({"target_vocab_size": 5}, "tied='all' needs one vocabulary, got 11 source and 5 target tokens"),
    ],
)
def test_wrong_sizes(settings, message):
    with pytest.raises(ValueError, match=message):
        tiny(**settings)


def test_wrong_shapes():
    model = tiny()
    source, tokens, targets = pairs()
    with pytest.raises(ValueError, match=r"source_mask must have the shape of its tokens, \(3, 5\), got \(3, 4\)"):
        model(source, tokens, targets, source_mask=mg.ones(3, 4))
    with pytest.raises(ValueError, match=r"mask must have the shape of its tokens, \(3, 4\), got \(2, 4\)"):
        model(source, tokens, targets, mask=mg.ones(2, 4))
    with pytest.raises(ValueError, match="the source has 3 rows, the tokens have 2"):
        generate(model.writer(source), tokens[:2], 3)
    with pytest.raises(IndexError, match="11"):
        model.generate(source + V, max_new_tokens=1)
