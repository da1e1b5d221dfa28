"""Saliency and attention maps: against what is known of models small enough; pictures; bad input."""

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad import nn, viz
from minigrad.nn import functional as F
from models.cnn import LeNet
from models.gpt import GPT, GPTConfig
from models.vit import ViT, ViTConfig


def lenet() -> tuple[LeNet, mg.Tensor]:
    model = LeNet().double()
    return model, mg.rand(3, 1, 28, 28, dtype=mg.float64)


def test_the_gradient_of_a_linear_model_is_its_weight() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Dropout(0.5))
    x = mg.rand(5, 3, 2, 2)
    target = mg.tensor([0, 1, 2, 0, 1])
    found = viz.input_gradients(model, x, target)
    assert found.flatten(1).allclose(model[1].weight[target]) and not found.requires_grad
    best = model[1](x.flatten(1)).argmax(1)
    assert viz.input_gradients(model, x).flatten(1).allclose(model[1].weight[best])
    assert viz.input_gradients(model, x, 1)[3].flatten().allclose(model[1].weight[1])
    assert model.training and model[1].weight.grad is None and not x.requires_grad


@pytest.mark.parametrize("baseline", [0.0, 0.3])
def test_integrated_gradients_add_up(baseline: float) -> None:
    """Completeness: the sum over an input is the score less the baseline's."""
    model, x = lenet()
    found = viz.integrated_gradients(model, x, 4, baseline, steps=400)
    difference = model(x)[:, 4] - model(mg.full_like(x, baseline))[:, 4]
    assert found.shape == x.shape
    assert np.allclose(found.sum((1, 2, 3)).numpy(), difference.detach().numpy(), rtol=0.02, atol=1e-4)
    assert viz.integrated_gradients(model, x, baseline=mg.zeros_like(x), steps=3).shape == x.shape


def test_integrated_gradients_of_a_product() -> None:
    """For x y from 0 to (a, b): a b / 2 each, which one step at the middle finds."""

    class Product(nn.Module):
        def forward(self, x):
            return (x[:, 0] * x[:, 1]).unsqueeze(1)

    found = viz.integrated_gradients(Product(), mg.tensor([[3.0, 5.0]]), 0, steps=1)
    assert found.tolist() == [[7.5, 7.5]]


def test_grad_cam_finds_the_bright_square() -> None:
    """Class 1 is the sum of one channel of a 3 x 3 mean: its map is that channel."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with mg.no_grad():
        model[0].weight.fill_(0.0)
        model[0].weight[1] = 1.0
    x = mg.zeros(2, 1, 8, 8)
    x[0, 0, 1:4, 4:7] = 1.0
    x[1, 0, 5, 2] = 2.0
    heat = viz.grad_cam(model, x, model[0], 1)
    assert heat.shape == (2, 8, 8) and heat.amax((1, 2)).tolist() == [1.0, 1.0] and heat.min() == 0
    assert divmod(heat[0].argmax().item(), 8) == (2, 5)
    assert heat[1].nonzero().tolist() == [[i, j] for i in (4, 5, 6) for j in (1, 2, 3)]
    assert viz.grad_cam(model, x, model[0], 0).max() == 0  # that channel is black
    deep, pictures = lenet()
    assert viz.grad_cam(deep, pictures, deep.conv2).shape == (3, 28, 28)
    assert all(not m._forward_hooks for m in deep.modules()) and deep.conv1.weight.grad is None


def by_hand(q: mg.Tensor, k: mg.Tensor, mask: mg.Tensor | None = None) -> mg.Tensor:
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return F.softmax(scores if mask is None else scores.masked_fill(~mask, -float("inf")), dim=-1)


def test_attention_maps_are_the_weights() -> None:
    q, k = mg.randn(2, 3, 4, 5), mg.randn(2, 3, 6, 5)
    seen = mg.rand(4, 6) < 0.6
    seen[:, 0] = True

    class Attends(nn.Module):
        def forward(self, mask, causal):
            return F.scaled_dot_product_attention(q, k, k, mask, is_causal=causal)

    plain, masked, causal = (
        viz.attention_maps(Attends(), *args)[0] for args in ((None, False), (seen, False), (None, True))
    )
    assert plain.allclose(by_hand(q, k), atol=1e-6) and masked.allclose(by_hand(q, k, seen), atol=1e-6)
    triangle = mg.arange(6) <= mg.arange(4).unsqueeze(1)
    assert causal.allclose(by_hand(q, k, triangle), atol=1e-6)
    added = viz.attention_maps(Attends(), mg.zeros(4, 6).masked_fill(~seen, -float("inf")), False)[0]
    assert added.allclose(masked, atol=1e-6)


def test_attention_maps_of_models() -> None:
    vit = ViT(ViTConfig(8, 4, 1, 8, 3, 2, 12, num_labels=3))
    maps = viz.attention_maps(vit, mg.rand(2, 1, 8, 8))
    assert [m.shape for m in maps] == [(2, 2, 5, 5)] * 3 and all(m.sum(-1).allclose(mg.ones(2, 2, 5)) for m in maps)
    gpt = GPT(GPTConfig(7, 6, 2, 2, 8, dropout=0.5))
    maps = viz.attention_maps(gpt, mg.randint(7, (1, 4)))
    assert len(maps) == 2 and all((m.triu(1) == 0).all() for m in maps) and gpt.training
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = mg.randn(2, 4, 8)
    (found,) = viz.attention_maps(layer, x, x, x)
    assert found.allclose(layer(x, x, x, average_attn_weights=False)[1])
    assert viz.attention_maps(layer, x, x, x, need_weights=False)[0].allclose(found, atol=1e-6)
    with pytest.raises(ValueError, match="LeNet computes no attention"):
        viz.attention_maps(*lenet())


def picture_size(path) -> tuple[int, int]:
    with Image.open(path) as image:
        assert np.asarray(image.convert("L")).std() > 5  # not one colour
        return image.size


def test_pictures(tmp_path) -> None:
    model, x = lenet()
    viz.save_heat(viz.input_gradients(model, x), tmp_path / "gradient.png")
    viz.save_heat(viz.grad_cam(model, x, model.conv2), tmp_path / "cam.png", images=x, columns=2)
    wide, tall = picture_size(tmp_path / "gradient.png"), picture_size(tmp_path / "cam.png")
    assert wide[0] > 2 * wide[1] and abs(tall[0] - tall[1]) <= 1
    viz.save_heat(mg.rand(1, 4, 4), tmp_path / "colour.svg", images=mg.randn(1, 3, 4, 4))
    assert "<svg" in (tmp_path / "colour.svg").read_text()
    maps = viz.attention_maps(GPT(GPTConfig(7, 6, 2, 2, 8)), mg.randint(7, (1, 4)))
    viz.save_attention(maps, tmp_path / "attention.png", tokens="abcd")
    viz.save_attention(maps[0], tmp_path / "one.png")
    assert picture_size(tmp_path / "attention.png")[1] > picture_size(tmp_path / "one.png")[1]
    with pytest.raises(ValueError, match="3 tokens were given for 4 keys"):
        viz.save_attention(maps, tmp_path / "x.png", tokens="abc")
    with pytest.raises(ValueError, match=r"expected weights \(N, heads, queries, keys\), got \[\(4, 4\)\]"):
        viz.save_attention(mg.rand(4, 4), tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"expected maps \(N, H, W\) or gradients"):
        viz.save_heat(mg.rand(4, 4), tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"images have to be \(N, 1 or 3, H, W\) with the maps' \(1, 4, 4\)"):
        viz.save_heat(mg.rand(1, 4, 4), tmp_path / "x.png", images=mg.rand(1, 3, 4, 5))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda m, x: viz.input_gradients(m, x, 10), ValueError, "target 10 is no class: .* classes 0 to 9"),
        (lambda m, x: viz.input_gradients(m, x.long()), TypeError, "needs a floating Tensor, got .*int64: for tokens"),
        (lambda m, x: viz.input_gradients(m, np.ones(3)), TypeError, "needs a floating Tensor, got ndarray"),
        (
            lambda m, x: viz.input_gradients(m.conv1, x),
            ValueError,
            r"has to give scores \(N, classes\), it gives \(3, 6",
        ),
        (lambda m, x: viz.integrated_gradients(m, x, steps=0), ValueError, "steps must be at least 1, got 0"),
        (lambda m, x: viz.grad_cam(m, x, m.fc1), ValueError, r"it gives \(3, 120\): take a convolution"),
        (lambda m, x: viz.grad_cam(m, x, nn.ReLU()), ValueError, "the model does not run the layer ReLU"),
        (
            lambda m, x: viz.grad_cam(m, x[0], m.conv1),
            ValueError,
            r"expected pictures \(N, C, H, W\), got \(1, 28, 28\)",
        ),
    ],
)
def test_bad_input(ask, error, message) -> None:
    with pytest.raises(error, match=message):
        ask(*lenet())
