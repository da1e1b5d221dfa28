"""Models: the gradient of a tiny copy is checked, one batch is learnt by heart, saving and loading changes no bit."""

import pytest
from model_checks import gradient_error

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from models.gpt import GPT, GPTConfig
from models.mlp import MLP


def tiny_gpt(**changes) -> GPT:
    settings = {"vocab_size": 7, "block_size": 6, "n_layer": 2, "n_head": 2, "n_embd": 8, **changes}
    return GPT(GPTConfig(**settings))


def some_tokens(rows: int = 3, columns: int = 5) -> mg.Tensor:
    return mg.randint(7, (rows, columns))


def test_mlp_gradient():
    model = MLP((4, 3, 2), nn.Tanh).double()
    x, y = mg.randn(5, 4, dtype=mg.float64), mg.tensor([0, 1, 1, 0, 1])
    names, parameters = zip(*model.named_parameters(), strict=True)

    def loss(*values):
        for name, value in zip(names, values, strict=True):
            layer, _, leaf = name.rpartition(".")
            model.get_submodule(layer)._parameters[leaf] = value
        return F.cross_entropy(model(x), y)

    assert mg.gradcheck(loss, parameters)


@pytest.mark.parametrize("bias", [True, False])
def test_gpt_gradient(bias):
    model, tokens = tiny_gpt(bias=bias).double(), some_tokens()
    assert gradient_error(model, lambda: model(tokens[:, :-1], tokens[:, 1:])[1]) < 1e-6


def test_mlp_overfits_one_batch():
    mg.manual_seed(0)
    model = MLP((784, 32, 10))
    x, y = mg.rand(16, 784), mg.randint(10, (16,))
    optimizer = mg.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01
    assert (model(x).argmax(1) == y).all()


def test_gpt_overfits_one_batch():
    mg.manual_seed(0)
    model = tiny_gpt(n_embd=32)
    tokens = some_tokens(4, 7)
    optimizer = mg.optim.AdamW(model.parameter_groups(0.0), lr=0.01)
    for _ in range(120):
        _, loss = model(tokens[:, :-1], tokens[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logits, _ = model(tokens[:, :-1], tokens[:, 1:])
    first_is_given = logits[:, 1:].argmax(-1) == tokens[:, 2:]  # the second token of a row need not follow from one
    assert first_is_given.float().mean() > 0.9


def test_gpt_is_causal():
    model = tiny_gpt().eval()
    tokens = some_tokens(1, 6)
    changed = tokens.clone()
    changed[0, 4] = (changed[0, 4] + 1) % 7
    before, _ = model(tokens, tokens)
    after, _ = model(changed, tokens)
    assert mg.equal(before[:, :4], after[:, :4])
    assert not mg.equal(before[:, 4:], after[:, 4:])


def test_gpt_ties_its_embedding_and_output():
    model = tiny_gpt()
    assert model.transformer.wte.weight is model.lm_head.weight
    names = [name for name, _ in model.named_parameters()]
    assert "transformer.wte.weight" in names and "lm_head.weight" not in names
    assert "lm_head.weight" in model.state_dict()  # as PyTorch saves it


def test_gpt_counts_gpt2_parameters():
    """124,439,808 is the published size of GPT-2 small; the count needs the shapes alone."""
    c = GPTConfig()
    C, V, T = c.n_embd, c.vocab_size, c.block_size
    block = 2 * 2 * C + (C * 3 * C + 3 * C) + (C * C + C) + (C * 4 * C + 4 * C) + (4 * C * C + C)
    assert V * C + T * C + c.n_layer * block + 2 * C == 124_439_808
    small = tiny_gpt()
    C, V, T = 8, 7, 6
    block = 2 * 2 * C + (C * 3 * C + 3 * C) + (C * C + C) + (C * 4 * C + 4 * C) + (4 * C * C + C)
    assert sum(p.numel() for p in small.parameters()) == V * C + T * C + 2 * block + 2 * C


def test_save_load_and_resume_bit_for_bit(tmp_path):
    def run(steps, start=None):
        mg.manual_seed(3)
        model = tiny_gpt(dropout=0.1)
        optimizer = mg.optim.AdamW(model.parameter_groups(0.1), lr=1e-2)
        if start:
            state = mg.load(start)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            mg.set_rng_state(state["random"])
        losses = []
        for _ in range(steps):
            tokens = some_tokens()
            _, loss = model(tokens[:, :-1], tokens[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(repr(loss.item()))
        path = tmp_path / "state.mg"
        mg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": mg.get_rng_state()}, path)
        return losses, path

    whole, _ = run(8)
    first, path = run(5)
    rest, _ = run(3, path)
    assert first + rest == whole


def test_generate_greedy_and_seeded():
    model = tiny_gpt()
    prompt = some_tokens(2, 3)
    greedy = model.generate(prompt, 5, temperature=0, slide=True)
    assert greedy.shape == (2, 8) and mg.equal(greedy[:, :3], prompt)
    assert mg.equal(greedy, model.generate(prompt, 5, top_k=1, slide=True))  # the likeliest one only
    assert mg.equal(greedy, model.generate(prompt, 5, top_p=1e-6, slide=True))
    a = model.generate(prompt, 9, slide=True, generator=mg.Generator().manual_seed(5))
    b = model.generate(prompt, 9, slide=True, generator=mg.Generator().manual_seed(5))
    assert mg.equal(a, b) and a.shape == (2, 12)  # longer than block_size: the context slides
    assert model.training  # generate leaves the mode as it found it


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"n_embd \(8\) must be a multiple of n_head \(3\)"):
        tiny_gpt(n_head=3)
    with pytest.raises(ValueError, match="9 tokens is longer than block_size 6"):
        tiny_gpt()(some_tokens(1, 9))
    with pytest.raises(ValueError, match=r"shape \(B, T\) with T >= 1"):
        tiny_gpt().generate(mg.zeros(1, 0, dtype=mg.int64), 1)
    with pytest.raises(ValueError, match="an input and an output size"):
        MLP((4,))
