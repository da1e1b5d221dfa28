"""Llama: gradient, learning, rotary positions, Hugging Face's names, and the files of llama2.c."""

import os
import struct

import numpy as np
import pytest
from model_checks import gradient_error, loss_after

import minigrad as mg
from minigrad.nn import functional as F
from models.llama import Llama, LlamaConfig, read_llama2c, rotary_angles, rotate

STORIES = os.path.join(os.environ.get("MINIGRAD_DATA", ""), "weights", "stories260K")


def tiny(**changes) -> Llama:
    mg.manual_seed(0)
    sizes = {"context": 12, "layers": 2, "heads": 4, "key_heads": 2, "channels": 16, "hidden": 20, **changes}
    return Llama(LlamaConfig(11, **sizes))


def tokens(rows: int = 3, columns: int = 7) -> mg.Tensor:
    return mg.randint(11, (rows, columns), generator=mg.Generator().manual_seed(2))


@pytest.mark.parametrize("tied", [True, False])
def test_gradient(tied):
    model, row = tiny(tied=tied).double(), tokens()
    assert gradient_error(model, lambda: model(row[:, :-1], row[:, 1:])[1]) < 1e-6


def test_overfits_one_batch():
    model, row = tiny(channels=32), tokens()
    assert loss_after(model, lambda: model(row[:, 1:-1], row[:, 2:])[1], 100) < 0.1


def test_rotary_products_depend_on_the_distance_alone():
    config = LlamaConfig(11, context=12, heads=1, key_heads=1, channels=8)
    angles = rotary_angles(config)
    cos, sin = (mg.tensor(f(angles)) for f in (np.cos, np.sin))
    q, k = mg.randn(8, dtype=mg.float64), mg.randn(8, dtype=mg.float64)
    turned = [rotate(x.expand(1, 1, 12, 8), cos, sin)[0, 0] for x in (q, k)]
    products = turned[0] @ turned[1].T  # (place of q, place of k)
    for distance in range(-3, 4):
        diagonal = mg.diagonal(products, offset=distance)
        assert (diagonal - diagonal[0]).abs().max() < 1e-12
    assert rotate(q.expand(1, 1, 12, 8), cos, sin).norm(dim=-1).allclose(q.norm())


def test_angles():
    angles = rotary_angles(LlamaConfig(11, context=4, heads=2, key_heads=2, channels=8, rope_theta=100.0))
    np.testing.assert_allclose(angles, np.outer(np.arange(4), [1.0, 0.1]))
    half = rotary_angles(LlamaConfig(11, context=4, heads=2, key_heads=2, channels=8, rope_theta=100.0,
                                     rope_scaling={"type": "linear", "factor": 2.0}))  # fmt: skip
    np.testing.assert_allclose(half, angles / 2)
    settings = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192}  # fmt: skip
    plain = rotary_angles(LlamaConfig(11, context=2, heads=2, key_heads=2, channels=128, rope_theta=5e5))[1]
    scaled = rotary_angles(
        LlamaConfig(11, context=2, heads=2, key_heads=2, channels=128, rope_theta=5e5, rope_scaling=settings)
    )[1]
    assert scaled[0] == plain[0] and scaled[-1] == pytest.approx(plain[-1] / 8)
    assert ((scaled <= plain) & (scaled >= plain / 8 * (1 - 1e-12))).all()
    with pytest.raises(ValueError, match="rope_scaling of type 'yarn' is unknown"):
        tiny(rope_scaling={"rope_type": "yarn"})


def test_names_and_shapes_are_hugging_face_s():
    shapes = {name: tuple(t.shape) for name, t in tiny().state_dict().items()}
    layer = {
        "input_layernorm.weight": (16,), "self_attn.q_proj.weight": (16, 16), "self_attn.k_proj.weight": (8, 16),
        "self_attn.v_proj.weight": (8, 16), "self_attn.o_proj.weight": (16, 16),
        "post_attention_layernorm.weight": (16,), "mlp.gate_proj.weight": (20, 16), "mlp.up_proj.weight": (20, 16),
        "mlp.down_proj.weight": (16, 20),
    }  # fmt: skip
    assert shapes == {
        "model.embed_tokens.weight": (11, 16),
        **{f"model.layers.{i}.{name}": shape for i in range(2) for name, shape in layer.items()},
        "model.norm.weight": (16,),
        "lm_head.weight": (11, 16),
    }


def test_grouped_heads_share_keys():
    """The same as with each head of keys and values written out for its group."""
    grouped, whole = tiny().eval(), tiny(key_heads=4).eval()
    state = dict(grouped.state_dict())
    for name in list(state):
        if name.endswith(("k_proj.weight", "v_proj.weight")):
            state[name] = state[name].view(2, 4, 16).repeat_interleave(2, dim=0).view(16, 16)
    whole.load_state_dict(state)
    with mg.no_grad():
        assert (grouped(tokens())[0] - whole(tokens())[0]).abs().max() < 1e-5


def write_llama2c(path, model: Llama) -> None:
    """A file as llama2.c writes it, from our tensors."""
    c = model.config
    state = {name: t.numpy() for name, t in model.state_dict().items()}

    def side_by_side(weight):
        return weight.reshape(-1, 2, c.head_size // 2, c.channels).swapaxes(1, 2)

    vocabulary = c.vocab_size if c.tied else -c.vocab_size
    arrays = [state["model.embed_tokens.weight"]]
    for name in ("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                 "post_attention_layernorm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj"):  # fmt: skip
        for i in range(c.layers):
            weight = state[f"model.layers.{i}.{name}.weight"]
            arrays.append(side_by_side(weight) if name.endswith(("q_proj", "k_proj")) else weight)
    arrays += [state["model.norm.weight"], np.zeros((c.context, c.head_size), np.float32)]
    if not c.tied:
        arrays.append(state["lm_head.weight"])
    header = struct.pack("7i", c.channels, c.hidden, c.layers, c.heads, c.key_heads, vocabulary, c.context)
    path.write_bytes(header + b"".join(np.ascontiguousarray(a, np.float32).tobytes() for a in arrays))


@pytest.mark.parametrize("tied", [True, False])
def test_llama2c_files(tmp_path, tied):
    model, path = tiny(tied=tied).eval(), tmp_path / "model.bin"
    write_llama2c(path, model)
    again = read_llama2c(path)
    assert again.config == model.config
    with mg.no_grad():
        assert mg.equal(again(tokens())[0], model(tokens())[0])
    whole = path.read_bytes()
    for content, message in (
        (whole[:-4], "is truncated"),
        (whole + b"1234", "is longer than its header says"),
        (whole[:20], "not a llama2.c model"),
        (b"\0" * 100, "not a llama2.c model"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_llama2c(path)


@pytest.mark.skipif(not os.path.exists(os.path.join(STORIES, "stories260K.bin")), reason="MINIGRAD_DATA has no weights")
def test_stories260k_tells_a_story():
    from minigrad import text

    model = read_llama2c(os.path.join(STORIES, "stories260K.bin"))
    tokenizer = text.load_tokenizer(os.path.join(STORIES, "tok512.bin"))
    start = mg.tensor([[tokenizer.bos_token_id]])
    written = model.generate(start, 200, temperature=0)
    story = tokenizer.decode(written[0], skip_special_tokens=True).strip()
    assert story.startswith(
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
    )
    assert mg.equal(written, model.generate(start, 200, temperature=0, use_cache=False))
    with mg.no_grad():
        logits = model.lm_head(model.hidden(written))
        past, worst = model.new_past(1, 201), 0.0
        for t in range(written.size(1)):
            step = model.next_logits(written[:, t : t + 1], past)
            worst = max(worst, (step - logits[:, t]).abs().max().item())
    assert worst < 1e-4
    loss = F.cross_entropy(logits[0, :-1], written[0, 1:]).item()
    assert loss < 1.0  # nats a token of its own greedy text


def test_bad_sizes():
    with pytest.raises(ValueError, match=r"heads \(4\) must be a multiple of key_heads \(3\)"):
        tiny(key_heads=3)
    with pytest.raises(ValueError, match=r"channels \(18\) must be a multiple of heads \(4\)"):
        tiny(channels=18)
    with pytest.raises(ValueError, match="a head of 3"):
        tiny(channels=12)
    with pytest.raises(ValueError, match="a sequence of 13 tokens is longer than the context of 12"):
        tiny()(tokens(1, 13))
