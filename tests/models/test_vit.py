"""The vision Transformer: sizes as published, Hugging Face's names by rule, what it computes, learning, bad input."""

import numpy as np
import pytest
from image_checks import check_gradient, check_saving, count, overfit

import minigrad as mg
from minigrad.nn import functional as F
from models.vit import ViT, ViTConfig
from models.weights import load_weights

TINY = {
    "image_size": 8, "patch_size": 4, "num_channels": 1, "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 12, "num_labels": 3,
}  # fmt: skip


def tiny(**changes) -> ViT:
    return ViT(ViTConfig(**{**TINY, **changes}))


def batch(n: int = 5, dtype=mg.float32) -> tuple[mg.Tensor, mg.Tensor]:
    return mg.rand(n, 1, 8, 8, dtype=dtype), mg.randint(3, (n,))


def test_gradient() -> None:
    model = tiny().double()
    x, y = batch(dtype=mg.float64)
    check_gradient(model, lambda: F.cross_entropy(model(x), y))


def test_one_batch_is_learnt_by_heart() -> None:
    model = tiny(hidden_size=16)
    x, y = batch()
    assert overfit(model, lambda: F.cross_entropy(model(x), y), 200, 0.02) < 0.05


def test_saving(tmp_path) -> None:
    x, _ = batch()
    model = tiny()
    check_saving(model, tiny(), lambda m: m(x), tmp_path)
    mg.save({"state_dict": model.state_dict()}, tmp_path / "vit.pt")
    assert load_weights(tiny(), tmp_path / "vit.pt").eval()(x).equal(model.eval()(x))


def hugging_face_names(layers: int) -> list[str]:
    """The rule by which ViTForImageClassification names its state."""
    names = ["embeddings.cls_token", "embeddings.position_embeddings"]
    linear = ["embeddings.patch_embeddings.projection"]
    for i in range(layers):
        parts = [f"attention.attention.{x}" for x in ("query", "key", "value")] + ["attention.output.dense"]
        parts += ["intermediate.dense", "output.dense", "layernorm_before", "layernorm_after"]
        linear += [f"encoder.layer.{i}.{part}" for part in parts]
    names += [f"{part}.{x}" for part in [*linear, "layernorm"] for x in ("weight", "bias")]
    return [f"vit.{name}" for name in names] + ["classifier.weight", "classifier.bias"]


def test_names_are_hugging_faces() -> None:
    assert list(tiny(num_hidden_layers=3).state_dict()) == hugging_face_names(3)
    assert "vit.encoder.layer.0.attention.attention.query.bias" not in tiny(qkv_bias=False).state_dict()


def parameters(c: ViTConfig) -> int:
    C, M = c.hidden_size, c.intermediate_size
    layer = 4 * (C * C + C) + (C * M + M) + (M * C + C) + 2 * 2 * C
    embeddings = C + (1 + c.patches) * C + c.num_channels * c.patch_size**2 * C + C
    return embeddings + c.num_hidden_layers * layer + 2 * C + C * c.num_labels + c.num_labels


def test_vit_base_has_its_published_size() -> None:
    """86,567,656; the count needs the shapes alone."""
    assert parameters(ViTConfig()) == 86_567_656
    assert count(tiny()) == parameters(ViTConfig(**TINY))


def test_what_it_computes_by_hand() -> None:
    """One layer in NumPy, from the parameters by their names."""
    model = tiny(num_hidden_layers=1).double().eval()
    with mg.no_grad():
        for p in model.parameters():  # at the start biases are 0 and norms 1: nothing would depend on them
            p.normal_(std=0.5)
    w = {name.removeprefix("vit."): x.numpy() for name, x in model.state_dict().items()}
    x = np.random.default_rng(0).random((1, 1, 8, 8))

    def linear(name: str, h: np.ndarray) -> np.ndarray:
        return h @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, h: np.ndarray) -> np.ndarray:
        h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-12)
        return h * w[f"{name}.weight"] + w[f"{name}.bias"]

    kernel, patches = w["embeddings.patch_embeddings.projection.weight"][:, 0], []
    for i in (0, 4):
        for j in (0, 4):
            patches.append((kernel * x[0, 0, i : i + 4, j : j + 4]).sum((1, 2)))
    h = np.stack(patches) + w["embeddings.patch_embeddings.projection.bias"]
    h = np.concatenate([w["embeddings.cls_token"][0], h]) + w["embeddings.position_embeddings"][0]
    layer = "encoder.layer.0"
    q, k, v = (linear(f"{layer}.attention.attention.{n}", norm(f"{layer}.layernorm_before", h)) for n in
               ("query", "key", "value"))  # fmt: skip
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        scores = np.exp(q[:, part] @ k[:, part].T / 2)
        heads.append(scores / scores.sum(1, keepdims=True) @ v[:, part])
    h = h + linear(f"{layer}.attention.output.dense", np.concatenate(heads, 1))
    m = linear(f"{layer}.intermediate.dense", norm(f"{layer}.layernorm_after", h))
    m = F.gelu(mg.tensor(m)).numpy()
    h = norm("layernorm", h + linear(f"{layer}.output.dense", m))
    assert np.allclose(model(mg.tensor(x)).detach().numpy()[0], linear("classifier", h[0]), atol=1e-10)


def test_config_from_hugging_face() -> None:
    found = ViTConfig.from_dict(
        {**TINY, "id2label": {"0": "cat", "1": "dog"}, "model_type": "vit", "hidden_act": "gelu", "qkv_bias": False}
        | {"num_labels": 2}
    )
    assert found == ViTConfig(**{**TINY, "num_labels": 2, "qkv_bias": False})
    without = {k: v for k, v in TINY.items() if k != "num_labels"}
    assert ViTConfig.from_dict({**without, "id2label": dict.fromkeys(range(5), "x")}).num_labels == 5
    with pytest.raises(ValueError, match="asks for 'relu'"):
        ViTConfig.from_dict({"hidden_act": "relu"})


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"image_size \(8\) must be a multiple of patch_size \(3\)"):
        tiny(patch_size=3)
    with pytest.raises(ValueError, match=r"hidden_size \(8\) must be a multiple of num_attention_heads \(3\)"):
        tiny(num_attention_heads=3)
    with pytest.raises(ValueError, match=r"shape \(N, 1, 8, 8\), got \(1, 1, 8, 12\)"):
        tiny()(mg.rand(1, 1, 8, 12))
