"""Folders: what is saved loads again with equal names and values, in one file or in shards, and what does not fit."""

import os

import pytest

import minigrad as mg
from minigrad import io
from models.gpt import GPT, GPTConfig
from models.llama import Llama, LlamaConfig
from models.pretrained import load_decoder

TINY_GPT2 = os.path.join(os.environ.get("MINIGRAD_DATA", ""), "weights", "hf-tiny-gpt2")


def gpt(**changes) -> GPT:
    return GPT(GPTConfig(**{"vocab_size": 11, "block_size": 8, "n_layer": 2, "n_head": 2, "n_embd": 8, **changes}))


def llama(**changes) -> Llama:
    sizes = {"context": 8, "layers": 2, "heads": 4, "key_heads": 2, "channels": 16, "hidden": 20, **changes}
    return Llama(LlamaConfig(11, **sizes))


MODELS = {
    "gpt": gpt,
    "gpt without biases": lambda: gpt(bias=False, activation="gelu_new", norm_eps=1e-6),
    "llama": llama,
    "llama, tied": lambda: llama(tied=True, rope_theta=500.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_saved_and_loaded(name, tmp_path):
    model = MODELS[name]().eval()
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert again.config == model.config and not again.training
    assert list(again.state_dict()) == list(model.state_dict())
    assert type(load_decoder(tmp_path)) is type(model)
    tokens = mg.randint(11, (2, 6))
    with mg.no_grad():
        assert mg.equal(again(tokens)[0], model(tokens)[0])
    second = tmp_path / "second"
    again.save(second)
    assert (second / "model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_shards_and_files_without_the_head_load(tmp_path):
    model = gpt().eval()
    io.write_folder(tmp_path, {"model_type": "gpt2", **model.to_config()}, model.to_state(), max_shard_bytes=2000)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    tokens = mg.randint(11, (2, 6))
    with mg.no_grad():
        want = model(tokens)[0]
        assert mg.equal(GPT.load(tmp_path)(tokens)[0], want)
        bare = {name.removeprefix("transformer."): t for name, t in model.to_state().items()}
        mask = mg.ones(1, 1, 8, 8).tril()
        io.write_folder(tmp_path, {"model_type": "gpt2", **model.to_config()}, {**bare, "h.0.attn.bias": mask})
        assert mg.equal(GPT.load(tmp_path)(tokens)[0], want)


@pytest.mark.skipif(not os.path.isdir(TINY_GPT2), reason="MINIGRAD_DATA has no weights")
def test_a_published_folder_loads():
    """Logits as `transformers` 4.57 with PyTorch 2.13 gives them."""
    model = GPT.load(TINY_GPT2)
    assert (model.config.activation, model.config.n_layer, model.config.block_size) == ("gelu_new", 1, 1024)
    with mg.no_grad():
        logits = model.lm_head(model.hidden(mg.tensor([[1, 5, 3, 8]])))
    assert logits.shape == (1, 4, 21)
    recorded = [
        [0.0365, 0.0248, 0.0408, -0.0404], [0.0319, 0.0217, 0.0356, -0.0352],
        [-0.0363, -0.0247, -0.0406, 0.0402], [-0.0366, -0.0250, -0.0410, 0.0406],
    ]  # fmt: skip
    assert (logits[0, :, :4] - mg.tensor(recorded)).abs().max() < 6e-5
    names = set(io.read_weights(TINY_GPT2))
    assert {f"transformer.{name}" for name in names} == set(model.state_dict()) - {"lm_head.weight"}


def test_what_does_not_fit_is_named(tmp_path):
    model = gpt()
    config = {"model_type": "gpt2", **model.to_config()}
    state = model.to_state()
    lacking = {name: t for name, t in state.items() if name != "transformer.h.1.mlp.c_fc.bias"}
    io.write_folder(tmp_path, config, {**lacking, "transformer.h.2.odd": mg.zeros(2)})
    with pytest.raises(RuntimeError, match=r"(?s)Missing.*transformer.h.1.mlp.c_fc.bias.*Unexpected.*h.2.odd"):
        GPT.load(tmp_path)
    io.write_folder(tmp_path, {**config, "vocab_size": 12}, state)
    with pytest.raises(RuntimeError, match=r"size mismatch for .*wte.*\(?\[?11, 8"):
        GPT.load(tmp_path)
    with pytest.raises(ValueError, match="holds a model of type 'gpt2', Llama reads 'llama'"):
        Llama.load(tmp_path)
    io.write_folder(tmp_path, {**config, "model_type": "mamba"}, state)
    with pytest.raises(ValueError, match="unknown architecture: model_type is 'mamba'.*known are bert, gpt2, llama"):
        load_decoder(tmp_path)
    with pytest.raises(FileNotFoundError, match="minigrad downloads no models"):
        GPT.load("openai-community/gpt2")
    for entry, message in (
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ({"n_inner": 7}, "n_inner is 7"),
        ({"activation_function": "relu6"}, "activation must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            GPT.from_config({**config, **entry})
    with pytest.raises(ValueError, match="attention_bias"):
        Llama.from_config({"attention_bias": True})


def test_published_sizes():
    """The counts that GPT-2's and Llama's papers and cards give follow from the default configs."""
    c = LlamaConfig()
    block = c.channels * c.head_size * 2 * (c.heads + c.key_heads) + 3 * c.channels * c.hidden + 2 * c.channels
    assert c.vocab_size * c.channels * 2 + c.layers * block + c.channels == 6_738_415_616
