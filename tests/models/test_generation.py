"""One loop writes for all decoders: what it draws, what it keeps, padding, beams, and what it refuses."""

import math

import pytest

import minigrad as mg
from minigrad.nn import functional as F
from models.generation import Sampling, filtered, generate, stream
from models.gpt import GPT, GPTConfig
from models.llama import Llama, LlamaConfig
from models.past import Past

V = 11


def gpt(**changes) -> GPT:
    mg.manual_seed(0)
    settings = {"vocab_size": V, "block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 8, **changes}
    return GPT(GPTConfig(**settings)).eval()


def llama() -> Llama:
    mg.manual_seed(0)
    return Llama(LlamaConfig(V, context=16, layers=2, heads=4, key_heads=2, channels=16, hidden=24)).eval()


DECODERS = {"gpt": gpt, "llama": llama}


def spread(model):
    """Fresh weights of 0.02 make all tokens about equally likely: larger ones make choices that differ clearly."""
    with mg.no_grad():
        for p in model.parameters():
            if p.dim() >= 2:
                p.mul_(20)
    return model


@pytest.fixture(params=DECODERS)
def model(request):
    return spread(DECODERS[request.param]())


def tokens(rows: int = 2, columns: int = 5) -> mg.Tensor:
    return mg.randint(V, (rows, columns), generator=mg.Generator().manual_seed(1))


def test_with_and_without_cache(model):
    prompt = tokens()
    for how in ({"temperature": 0}, {"num_beams": 3}, {"num_beams": 3, "stop_tokens": [4], "pad_token": 0},
                {"temperature": 0, "repetition_penalty": 1.5}):  # fmt: skip
        kept = generate(model, prompt, 8, **how)
        again = generate(model, prompt, 8, use_cache=False, **how)
        assert mg.equal(kept, again), how
        assert mg.equal(kept[:, :5], prompt)


def test_cached_logits_are_those_of_the_whole_sequence(model):
    row = tokens(2, 12)
    with mg.no_grad():
        whole, _ = model(row, row)
        for pieces in ([1] * 12, [5, 1, 6], [12]):
            past, place = Past(12), 0
            for piece in pieces:
                got = model.next_logits(row[:, place : place + piece], past)
                place += piece
                assert past.length == place
                assert (got - whole[:, place - 1]).abs().max() < 1e-4


def test_padding_changes_no_logit(model):
    """Three pads on the left or on the right: logits of the real tokens, and the loss, stay as they were."""
    row, pads = tokens(1, 6), mg.full((1, 3), 9)
    targets = tokens(1, 7)[:, 1:]
    with mg.no_grad():
        want, want_loss = model(row, targets)
        for side in ("left", "right"):
            order = (pads, row) if side == "left" else (row, pads)
            padded = mg.cat(order, dim=1)
            mask = mg.cat([mg.zeros_like(x) if x is pads else mg.ones_like(x) for x in order], dim=1)
            aligned = mg.cat([pads if x is pads else targets for x in order], dim=1)
            got, loss = model(padded, aligned, mask=mask)
            real = got[:, 3:] if side == "left" else got[:, :6]
            assert (real - want).abs().max() < 1e-4
            assert loss.item() == pytest.approx(want_loss.item(), abs=1e-5)


@pytest.mark.parametrize("how", [{"temperature": 0}, {"num_beams": 3}, {"temperature": 0, "repetition_penalty": 2.0}])
@pytest.mark.parametrize("use_cache", [True, False])
def test_a_batch_of_prompts_of_different_lengths(model, how, use_cache):
    prompts = [tokens(1, n) for n in (2, 5, 4)]
    alone = [generate(model, p, 6, **how)[0, p.size(1) :] for p in prompts]
    padded = mg.cat([mg.cat((mg.full((1, 5 - p.size(1)), 9), p), dim=1) for p in prompts])
    mask = mg.tensor([[0, 0, 0, 1, 1], [1] * 5, [0, 1, 1, 1, 1]])
    together = generate(model, padded, 6, mask=mask, use_cache=use_cache, **how)[:, 5:]
    assert mg.equal(together, mg.stack(alone))


def test_stop_tokens_end_a_row(model):
    prompt = tokens(3, 4)
    free = generate(model, prompt, 8, temperature=0)[:, 4:]
    stop = int(free[0, 2])
    ended = generate(model, prompt, 8, temperature=0, stop_tokens=[stop], pad_token=7)[:, 4:]
    for row, full in zip(ended.tolist(), free.tolist(), strict=True):
        place = full.index(stop) if stop in full else len(full)
        assert row[: place + 1] == full[: min(place + 1, len(row))]
        assert set(row[place + 1 :]) <= {7}
    only = generate(model, prompt[:1], 8, temperature=0, stop_tokens=[stop])
    assert only[0, -1] == stop and only.size(1) <= 4 + 3  # nothing is written after the last row has ended


def test_max_length_counts_the_prompt(model):
    assert generate(model, tokens(), max_length=9, temperature=0).shape == (2, 9)
    assert generate(model, tokens(), 9, temperature=0).shape == (2, 14)
    assert generate(model, tokens(), 0).shape == (2, 5)


def test_the_stream_is_what_generate_appends(model):
    a, b = (mg.Generator().manual_seed(5) for _ in range(2))
    drawn = generate(model, tokens(), 6, top_k=4, generator=a)
    pieces = list(stream(model, tokens(), 6, sampling=Sampling(top_k=4), generator=b))
    assert mg.equal(drawn[:, 5:], mg.stack(pieces, dim=1))


def test_the_context_slides_by_choice():
    model = spread(gpt(block_size=6))
    with pytest.raises(ValueError, match="prompt of 5 tokens and 4 new ones are longer than the model's context of 6"):
        generate(model, tokens(), 4)
    by_hand = tokens()
    with mg.no_grad():
        for _ in range(4):
            by_hand = mg.cat((by_hand, model(by_hand[:, -6:])[0][:, -1].argmax(-1, keepdim=True)), 1)
    assert mg.equal(generate(model, tokens(), 4, temperature=0, slide=True), by_hand)
    assert generate(model, tokens(2, 9), 3, slide=True).shape == (2, 12)  # a prompt longer than the window


def log_probability(model, prompt, new) -> float:
    with mg.no_grad():
        logits, _ = model(mg.cat((prompt, new), 1), mg.cat((prompt, new), 1))
        logs = F.log_softmax(logits, dim=-1)[0, prompt.size(1) - 1 : -1]
    return float(logs[mg.arange(new.size(1)), new[0]].sum())


def test_beams_find_the_likeliest(model):
    """With as many beams as there are beginnings, the search is exhaustive."""
    prompt = tokens(1, 3)
    every = mg.cartesian_prod(*[mg.arange(V)] * 3)
    best = max(log_probability(model, prompt, new.unsqueeze(0)) for new in every[::1])
    found = generate(model, prompt, 3, num_beams=V * V)[:, 3:]
    assert log_probability(model, prompt, found) == pytest.approx(best, abs=1e-4)
    greedy = generate(model, prompt, 3, temperature=0)[:, 3:]
    assert mg.equal(generate(model, prompt, 3, num_beams=1, temperature=0)[:, 3:], greedy)
    assert log_probability(model, prompt, generate(model, prompt, 3, num_beams=3)[:, 3:]) >= (
        log_probability(model, prompt, greedy) - 1e-4
    )


def test_beams_multiply_the_log_probability_of_what_occurred():
    """A made-up model of two tokens besides the prompt's: the penalty is worked out by hand."""

    class Fixed(mg.nn.Module):
        context = None

        def new_past(self, batch, size, mask=None):
            return None

        def next_logits(self, rows, past=None, mask=None):
            return 5 + mg.tensor([[0.7, 0.2, 0.1]] * len(rows)).log()  # all above 0: as logits they would be divided

    # 4 log 0.7 = -1.43 > log 0.2 = -1.61 > 5 log 0.7 = -1.78
    for penalty, word in ((2.0, 0), (4.0, 0), (5.0, 1)):
        found = generate(Fixed(), mg.tensor([[0]]), 1, num_beams=2, repetition_penalty=penalty)
        assert found.tolist() == [[0, word]], penalty


def test_the_length_penalty_prefers_longer_ends():
    """A made-up model: token 1 (stop) has p = 0.4 at first; the other road ends three tokens later, p = 0.6 in all."""

    class Fixed(mg.nn.Module):
        context = None

        def new_past(self, batch, size, mask=None):
            return None

        def next_logits(self, rows, past=None, mask=None):
            T = rows.size(1)
            p = {1: [0.0, 0.3, 0.7], 2: [1.0, 0, 0], 3: [1.0, 0, 0]}.get(T, [0.0, 1.0, 0.0])
            return (mg.tensor([p] * len(rows)) + 1e-9).log()

    start = mg.zeros(1, 1, dtype=mg.int64)
    model = Fixed()
    ends = {
        penalty: generate(model, start, 6, num_beams=2, length_penalty=penalty, stop_tokens=[1])[0, 1:].tolist()
        for penalty in (-3.0, 1.0)
    }
    assert ends == {-3.0: [1], 1.0: [2, 0, 0, 1]}


def test_repetition_penalty():
    logits = mg.tensor([[2.0, 1.9, -1.0, -1.1]])
    seen = mg.tensor([[True, False, False, False]])
    assert Sampling(0)(logits, seen).item() == 0
    assert Sampling(0, repetition_penalty=1.2)(logits, seen).item() == 1
    negative = mg.tensor([[-1.0, -1.1]])
    assert Sampling(0, repetition_penalty=1.2)(negative, mg.tensor([[True, False]])).item() == 1


def test_suppressed_tokens_are_never_written(model):
    start = mg.zeros(1, 1, dtype=mg.int64)
    likeliest = generate(model, start, 1, temperature=0)[0, 1].item()
    for how in ({"temperature": 0}, {"num_beams": 2}, {"temperature": 1.0}):
        written = generate(model, start, 5, suppress_tokens=[likeliest], **how)[0, 1:].tolist()
        assert len(written) == 5 and likeliest not in written, how
    assert Sampling(0, suppress_tokens=(1,))(mg.tensor([[0.0, 9.0]]), mg.zeros(1, 2)).item() == 0
    with pytest.raises(IndexError):
        generate(model, start, 1, suppress_tokens=[V])


def test_filters():
    logits = mg.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
    assert filtered(logits, 2, None).isfinite().tolist() == [[True, True, False, False]]
    assert filtered(logits, None, 0.7).isfinite().tolist() == [[True, True, False, False]]
    assert filtered(logits, None, 0.76).isfinite().tolist() == [[True, True, True, False]]
    assert filtered(logits.flip(1), None, 0.4).isfinite().tolist() == [[False, False, False, True]]
    assert filtered(logits, 9, None).isfinite().all()


def test_draws_follow_the_distribution():
    logits = mg.tensor([[0.5, 0.3, 0.2]]).log().expand(4000, 3)
    drawn = Sampling()(logits, logits, mg.Generator().manual_seed(0))
    shares = [(drawn == i).float().mean().item() for i in range(3)]
    for cold in (1e-320, 1e-38, 1e-10):  # by which a float32 may not be divided: the likeliest, not NaN
        assert Sampling(cold)(100 + logits[:50], logits[:50]).eq(0).all()
    assert all(abs(a - b) < 4 * math.sqrt(b * (1 - b) / 4000) for a, b in zip(shares, (0.5, 0.3, 0.2), strict=True))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"temperature": -1}, r"temperature must be 0 \(greedy\) or a positive number up to 1e\+20, got -1"),
        ({"temperature": 10**400}, "temperature must be 0"),
        ({"repetition_penalty": math.inf}, "repetition_penalty must be a number above 0"),
        ({"temperature": math.nan}, "temperature must be 0"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 1.5}, r"top_p must be in \(0, 1\], got 1.5"),
        ({"top_p": 0.0}, "top_p must be in"),
        ({"repetition_penalty": 0}, "repetition_penalty must be a number above 0"),
        ({"num_beams": 0}, "num_beams must be at least 1"),
        ({"max_new_tokens": -1}, "max_new_tokens must be 0 or more, got -1"),
        ({"max_new_tokens": None, "max_length": 3}, r"max_length \(3\) counts the prompt, which has 5 tokens already"),
        ({"max_new_tokens": None}, "got neither"),
        ({"max_length": 9}, "got both"),
        ({"mask": mg.tensor([[1, 1, 1, 1, 0]] * 2)}, "padding on the left"),
        ({"mask": mg.ones(2, 4)}, r"mask must have the shape of the tokens, \(2, 5\), got \(2, 4\)"),
    ],
)
def test_refuses(how, message):
    with pytest.raises(ValueError, match=message):
        generate(gpt(), tokens(), **{"max_new_tokens": 1, **how})


def test_refuses_empty_prompts_and_unknown_tokens():
    with pytest.raises(ValueError, match=r"shape \(B, T\) with T >= 1, got \(1, 0\)"):
        generate(gpt(), mg.zeros(1, 0, dtype=mg.int64), 1)
    for token in (V, -1):
        with pytest.raises(IndexError, match=f"tokens from {token} to {token}, the model's vocabulary"):
            generate(gpt(), mg.tensor([[token]]), 1)
        with pytest.raises(IndexError, match=f"suppress_tokens must be in the vocabulary of {V}"):
            generate(gpt(), mg.tensor([[1]]), 1, suppress_tokens=[token])


def test_the_mode_is_left_as_it_was(model):
    model.train()
    generate(model, tokens(), 2)
    assert model.training
    for _ in stream(model, tokens(), 3):
        break
    assert model.training
