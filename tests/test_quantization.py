"""Models with int8 and bfloat16 weights: close to what they were, smaller, saved, refused where senseless."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.quantization import quantize, size_in_bytes

pytest.importorskip("ml_dtypes")


class Tied(nn.Module):
    """A table, a layer, and a head that shares the table's matrix."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.body = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(self.body(self.table(ids)))


@pytest.fixture
def model():
    mg.manual_seed(0)
    return Tied()


ids = mg.tensor([[3, 1, 4], [1, 5, 9]])


@pytest.mark.parametrize(("dtype", "error", "share"), [("int8", 0.02, 0.33), ("bfloat16", 0.01, 0.53)])
def test_a_quantized_model_is_smaller_and_answers_alike(model, dtype, error, share):
    before = model(ids)
    report = quantize(model, dtype)
    assert report.layers == ["body.0", "body.2", "head", "table"]
    assert report.bytes_after == size_in_bytes(model) < share * report.bytes_before
    assert str(report).startswith(f"4 layers to {dtype}: ")
    after = model(ids)
    assert after.dtype == mg.float32
    assert float((after - before).abs().max()) < error * float(before.abs().max())
    assert model.head.weight is model.table.weight  # still one matrix
    assert f"kept_as={dtype}" in repr(model.head)


def test_each_row_is_rounded_to_half_a_step():
    w = mg.tensor([[1.0, -3.0, 0.5], [0.0, 0.0, 0.0], [1e-3, 2e-3, -1e-3]])
    layer = nn.Linear(3, 3)
    layer.weight.data = w
    made = nn.QuantizedLinear.from_linear(layer)
    assert made.weight.dtype == mg.int8
    assert made.weight.tolist()[0] == [42, -127, 21]
    assert made.weight.tolist()[1] == [0, 0, 0]
    steps = (made.dequantized() - w).abs() / made.scale.clamp(min=1e-12).unsqueeze(1)
    assert float(steps.max()) <= 0.5001


@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_saved_and_loaded(model, dtype, tmp_path):
    twin = copy.deepcopy(model)
    quantize(model, dtype)
    mg.save(model.state_dict(), tmp_path / "small.mg")
    quantize(twin, dtype)
    with mg.no_grad():
        for tensor in twin.state_dict().values():
            tensor.zero_()
    twin.load_state_dict(mg.load(tmp_path / "small.mg"))
    np.testing.assert_array_equal(twin(ids).numpy(), model(ids).numpy())


def test_gradients_reach_what_is_before_and_the_weights_stay(model):
    quantize(model, "int8", embeddings="none")
    weight = model.head.weight.numpy().copy()
    model(ids).square().mean().backward()
    assert float(model.table.weight.grad.abs().sum()) > 0
    assert [name for name, _ in model.named_parameters()] == ["table.weight"]
    np.testing.assert_array_equal(model.head.weight.numpy(), weight)
    x = mg.randn(4, 16, dtype=mg.float64, requires_grad=True)
    assert mg.autograd.gradcheck(model.body[0].double(), (x,))


def test_named_layers_alone(model):
    assert quantize(model, "int8", layers=["body.0"]).layers == ["body.0"]
    assert type(model.body[2]) is nn.Linear


def test_all_tables(model):
    other = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2))
    assert quantize(other, "int8", embeddings="all").layers == ["1", "0"]
    assert other(mg.tensor([1, 2])).shape == (2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: quantize(m, "int4"), "knows the dtypes 'int8' and 'bfloat16', got 'int4'"),
        (lambda m: quantize(m, "int8", layers=["nowhere"]), r"no Linear layers of the model: \['nowhere'\]"),
        (lambda m: quantize(nn.ReLU()), "nothing to quantize: ReLU holds no Linear layer"),
        (lambda m: quantize(m, embeddings="some"), "'tied', 'all' or 'none', got 'some'"),
    ],
)
def test_errors(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)


def test_weights_that_are_not_finite_are_refused(model):
    with mg.no_grad():
        model.head.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="holds nan or inf"):
        quantize(model)
    assert type(model.head) is nn.Linear  # nothing was changed


def test_a_wrong_shape_names_both(model):
    quantize(model)
    with pytest.raises(RuntimeError, match=r"3x15 and 16x32"):
        model.body[0](mg.zeros(3, 15))
