"""What summary counts and draw shows, on models whose figures are known; nothing is left changed behind."""

import re
import shutil
import sys

import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.nn import functional as F
from minigrad.op import FusedOp, Op
from models.cnn import LeNet, ResNet, ResNetConfig, cifar_resnet, resnet18
from models.gpt import GPT, GPTConfig
from models.mlp import MLP


def small_resnet(shortcut: str = "A") -> ResNet:
    return ResNet(ResNetConfig((1, 1), 4, small_images=True, shortcut=shortcut, in_channels=1, num_classes=3))


def test_lenet_row_by_row() -> None:
    found = viz.summary(LeNet(), (2, 1, 28, 28))
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["", "conv1", "conv2", "fc1", "fc2", "fc3"]
    assert rows["conv1"].output_shape == (2, 6, 28, 28) and rows["conv2"].input_shape == (2, 6, 14, 14)
    assert [row.parameters for row in found.rows] == [61_706, 156, 2_416, 48_120, 10_164, 850]
    multiply_adds = [6 * 28 * 28 * 25, 16 * 10 * 10 * 6 * 25, 400 * 120, 120 * 84, 84 * 10]
    assert [row.flops for row in found.rows[1:]] == [2 * 2 * n for n in multiply_adds]
    assert found.flops == sum(row.flops for row in found.rows[1:])
    assert rows["conv1"].memory == 2 * 6 * 28 * 28 * 4 and found.weight_memory == 61_706 * 4
    assert found.activation_memory == sum(row.memory for row in found.rows[1:])


def test_flops_are_those_that_are_published() -> None:
    """ResNet-18: 1.814 G multiply-adds at 224 x 224; ResNet-20 with projections: 40.81 M on CIFAR."""
    shapes_alone = viz.summary(cifar_resnet(20, shortcut="B"), (1, 3, 32, 32))
    assert shapes_alone.flops == 2 * 40_813_184
    found = viz.summary(resnet18(), (1, 3, 32, 32))  # 224 / 32 = 7: maps of 1/49 the size, but the last is 1 x 1
    assert found.flops == 2 * ((1_814_073_344 - 512_000) // 49 + 512_000)


def test_a_model_of_tokens_and_its_attention() -> None:
    C, T, V = 8, 4, 7
    found = viz.summary(GPT(GPTConfig(V, 6, 1, 2, C)), (2, T))
    rows = {row.name: row for row in found.rows}
    assert rows["transformer.wte"].input_shape == (2, T) and rows["lm_head"].output_shape == (2, 1, V)
    attention = rows["transformer.h.0.attn"].flops
    assert attention == 2 * 2 * (T * C * 3 * C + T * C * C + 2 * T * T * C)
    assert found.parameters == V * C + 6 * C + 12 * C * C + 13 * C + 2 * C  # the tied matrix once
    assert "    attn (CausalSelfAttention)" in str(found) and "  transformer.h.0 (Block)" in str(found)


@pytest.mark.parametrize(
    ("function", "inputs", "expected"),
    [
        (lambda a, b: a @ b, ((3, 4), (4, 5)), 2 * 3 * 4 * 5),
        (lambda a, b: a @ b, ((2, 3, 4), (4, 5)), 2 * 2 * 3 * 4 * 5),
        (lambda a, b: mg.einsum("ij,kj->ik", a, b), ((3, 4), (5, 4)), 2 * 3 * 4 * 5),
        (F.linear, ((7, 4), (5, 4)), 2 * 7 * 4 * 5),
        (lambda x, w: F.conv2d(x, w, groups=2), ((1, 4, 5, 5), (6, 2, 3, 3)), 2 * 6 * 9 * 2 * 9),
        (F.conv1d, ((1, 2, 8), (3, 2, 3)), 2 * 3 * 6 * 2 * 3),
        (lambda x, w: F.conv_transpose2d(x, w, stride=2), ((1, 2, 3, 3), (2, 5, 2, 2)), 2 * 9 * 2 * 5 * 4),
        (lambda q, k: F.scaled_dot_product_attention(q, k, k), ((2, 3, 4), (2, 5, 4)), 2 * 2 * 3 * 5 * 8),
        (lambda x: nn.LSTM(4, 6)(x), ((5, 2, 4),), 2 * 10 * (4 * 24 + 6 * 24)),
        (lambda x: nn.GRU(4, 6)(x), ((5, 2, 4),), 2 * 10 * (4 * 18 + 6 * 18)),
        (lambda x: nn.RNN(4, 6)(x), ((5, 2, 4),), 2 * 10 * (4 * 6 + 6 * 6)),
        (lambda x: x.exp() + x, ((3, 4),), 0),
    ],
)
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])  # float64: the references of fused ops run
def test_count_flops(function, inputs, expected, dtype) -> None:
    mg.set_default_dtype(dtype)
    try:
        assert viz.count_flops(function, *(mg.ones(*shape) for shape in inputs)) == expected
    finally:
        mg.set_default_dtype(mg.float32)


def test_summary_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    model[1].eval()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    calls = [kind.__dict__["__call__"] for kind in (Op, FusedOp)]
    viz.summary(model, (1, 1, 5, 5))
    with pytest.raises(RuntimeError):
        viz.summary(model, (1, 3, 5, 5))
    assert all(x.equal(before[name]) for name, x in model.state_dict().items())
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert calls == [kind.__dict__["__call__"] for kind in (Op, FusedOp)]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_summary_of_frozen_shared_and_several_inputs() -> None:
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.layer.bias.requires_grad_(False)

        def forward(self, x, y):
            return self.layer(self.layer(x) + y)

    found = viz.summary(Twice(), [(2, 3), mg.ones(2, 3)])
    assert [row.name for row in found.rows] == ["", "layer", "layer"]
    assert (found.parameters, found.trainable, found.flops) == (12, 9, 2 * 2 * 2 * 9)
    assert "parameters 12, 3 frozen" in str(found)
    with pytest.raises(TypeError, match="expected a shape such as"):
        viz.summary(Twice(), 3)
    with pytest.raises(TypeError, match="summary looks into a Module, got int"):
        viz.summary(3, (1,))
    with pytest.raises(TypeError, match="count_flops runs the function on Tensors, got int"):
        viz.count_flops(abs, 3)


def edges(drawing: viz.Drawing) -> set[tuple[str, str, str]]:
    names = [box.label.split("\n")[0] for box in drawing.boxes]
    return {(names[a], names[b], shape) for a, b, shape in drawing.edges}


def test_a_residual_block_is_drawn_with_its_shortcut() -> None:
    drawing = viz.draw(small_resnet(), (1, 1, 12, 12))
    found = edges(drawing)
    assert ("input", "conv1", "1×1×12×12") in found and ("linear", "output", "1×3") in found
    assert ("layer2.0.downsample", "add", "1×8×6×6") in found and ("layer2.0.bn2", "add", "1×8×6×6") in found
    assert ("relu", "layer2.0.conv1", "1×4×12×12") in found and ("relu", "add", "1×4×12×12") in found
    assert [box.kind for box in drawing.boxes].count("layer") == 12 and len(drawing.boxes) == 12 + 10
    coarse = viz.draw(small_resnet("B"), (1, 1, 12, 12), depth=1)
    assert ("layer1", "layer2", "1×4×12×12") in edges(coarse)
    assert [box.label for box in coarse.boxes if box.kind == "layer"] == [
        "conv1\nConv2d", "bn1\nBatchNorm2d", "layer1\nSequential", "layer2\nSequential", "fc\nLinear",
    ]  # fmt: skip


def test_token_ids_are_an_input_too() -> None:
    drawing = viz.draw(GPT(GPTConfig(7, 6, 1, 2, 8)), (1, 4))
    assert ("input", "transformer.wte", "1×4") in edges(drawing)
    assert ("transformer.wte", "add", "1×4×8") in edges(drawing)


def test_the_graph_of_a_tensor() -> None:
    layer, x = nn.Linear(2, 3), mg.ones(4, 2, requires_grad=True)
    y = layer(x)
    loss = (y * y).sum()
    found = edges(viz.draw(loss, names=layer))
    assert found == {
        ("leaf", "linear", "4×2"), ("weight", "linear", "3×2"), ("bias", "linear", "3"), ("linear", "mul", "4×3"),
        ("mul", "sum", "4×3"), ("sum", "output", "scalar"),
    }  # fmt: skip
    assert edges(viz.draw(x)) == {("leaf", "output", "4×2")}


def test_mermaid_and_dot() -> None:
    drawing = viz.draw(MLP((4, 3, 2)), (5, 4))
    lines = drawing.mermaid.splitlines()
    assert lines[0] == "flowchart TD" and '    n0(["input"])' in lines and '["layers.0<br/>Linear"]' in lines[3]
    assert any(re.fullmatch(r' +n\d+ -->\|"5×3"\| n\d+', line) for line in lines)
    for line in lines[1:]:
        assert re.fullmatch(r' +n\d+(\(\[".*"\]\)|\[".*"\]|\(".*"\)|\[\(".*"\)\]| -->\|"[^"]+"\| n\d+)', line)
    assert drawing.dot.startswith("digraph {") and 'label="layers.0\\nLinear"' in drawing.dot
    assert 'n0 -> n1 [label=" 5×4"]' in drawing.dot


def test_saving(tmp_path) -> None:
    drawing = viz.draw(MLP((4, 3, 2)), (5, 4))
    drawing.save(tmp_path / "mlp.mmd")
    drawing.save(tmp_path / "mlp.dot")
    assert (tmp_path / "mlp.mmd").read_text(encoding="utf-8") == drawing.mermaid
    assert (tmp_path / "mlp.dot").read_text(encoding="utf-8") == drawing.dot
    with pytest.raises(ValueError, match=r"a drawing is saved as .svg, .dot, .mmd, got"):
        drawing.save(tmp_path / "mlp.gif")


def test_svg(tmp_path) -> None:
    pytest.importorskip("graphviz")
    drawing = viz.draw(MLP((4, 3, 2)), (5, 4))
    if shutil.which("dot") is None:
        with pytest.raises(RuntimeError, match="program dot, which is not found: install Graphviz"):
            drawing.save(tmp_path / "mlp.svg")
        assert not (tmp_path / "mlp.svg").exists()
    else:
        drawing.save(tmp_path / "mlp.svg")
        text = (tmp_path / "mlp.svg").read_text(encoding="utf-8")
        assert "<svg" in text and "layers.2" in text and "5×4" in text and drawing._repr_svg_() == text


def test_svg_without_graphviz(monkeypatch) -> None:
    drawing = viz.draw(MLP((4, 3, 2)), (5, 4))
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"pip install 'minigrad\[viz\]'; `.mermaid` needs nothing"):
        _ = drawing.svg
    monkeypatch.undo()
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="needs Graphviz's program dot"):
        _ = drawing.svg


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="there is no graph to draw"):
        viz.draw(mg.ones(2))
    with pytest.raises(TypeError, match=r"draw\(model, shape\) needs the shape of the input"):
        viz.draw(LeNet())
    with pytest.raises(TypeError, match="takes neither shape nor depth"):
        viz.draw(mg.ones(2, requires_grad=True), (2,))
    with pytest.raises(TypeError, match="draw takes a Module and a shape, or a Tensor, got str"):
        viz.draw("model")
