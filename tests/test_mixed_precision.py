"""Autocast: which dtype each op computes in is what PyTorch 2.13 gave under torch.autocast("cpu", torch.bfloat16)."""

import threading

import numpy as np
import pytest
from strict_cupy import as_cuda, no_sync

import minigrad as mg
from minigrad import mixed_precision, nn
from minigrad.kernels import common
from minigrad.nn import functional as F
from minigrad.op import REGISTRY

SHORT, LONG = "bfloat16", "float32"


def some(*shape: int, dtype: mg.dtype = mg.float32) -> mg.Tensor:
    values = np.random.default_rng(sum(shape)).uniform(0.1, 0.9, shape)
    return mg.tensor(values.astype(np.float32)).to(dtype)


LABELS = mg.tensor([0, 1, 2])
CALLS = {  # (a call on matrices a, b, images and sequences of a dtype, its dtype for float32, for bfloat16)
    "matmul": (lambda a, b, im, t: a @ b, SHORT, SHORT),
    "mm": (lambda a, b, im, t: mg.mm(a, b), SHORT, SHORT),
    "bmm": (lambda a, b, im, t: mg.bmm(t, t.transpose(1, 2)), SHORT, SHORT),
    "addmm": (lambda a, b, im, t: mg.addmm(a[:, :1], a, b), SHORT, SHORT),
    "baddbmm": (lambda a, b, im, t: mg.baddbmm(t[:, :, :3], t, t.transpose(1, 2)), SHORT, SHORT),
    "linear": (lambda a, b, im, t: F.linear(a, b.T), SHORT, SHORT),
    "linear_activation": (lambda a, b, im, t: F.linear_activation(a, b.T, None, "relu"), SHORT, SHORT),
    "conv1d": (lambda a, b, im, t: F.conv1d(t, t[:, :, :2]), SHORT, SHORT),
    "conv2d": (lambda a, b, im, t: F.conv2d(im, im[:, :, :2, :2]), SHORT, SHORT),
    "conv_transpose2d": (lambda a, b, im, t: F.conv_transpose2d(im, im[:1].transpose(0, 1)), SHORT, SHORT),
    "attention": (lambda a, b, im, t: F.scaled_dot_product_attention(im, im, im), SHORT, SHORT),
    "einsum": (lambda a, b, im, t: mg.einsum("ij,jk->ik", a, b), SHORT, SHORT),
    "tensordot": (lambda a, b, im, t: mg.tensordot(a, b, 1), SHORT, SHORT),
    "prelu": (lambda a, b, im, t: F.prelu(a, a[0, :1]), SHORT, SHORT),
    "lstm": (lambda a, b, im, t: nn.LSTM(4, 5).to(t.dtype)(t)[0], SHORT, SHORT),
    "rnn": (lambda a, b, im, t: nn.RNN(4, 5).to(t.dtype)(t)[0], SHORT, SHORT),
    "gru": (lambda a, b, im, t: nn.GRU(4, 5).to(t.dtype)(t)[0], LONG, SHORT),
    "heads": (lambda a, b, im, t: nn.MultiheadAttention(4, 2).to(t.dtype)(t, t, t)[0], SHORT, SHORT),
    "mv": (lambda a, b, im, t: mg.mv(a, b[:, 0]), LONG, SHORT),
    "dot": (lambda a, b, im, t: mg.dot(a[0], a[0]), LONG, SHORT),
    "outer": (lambda a, b, im, t: mg.outer(a[0], a[0]), LONG, SHORT),
    "bilinear": (lambda a, b, im, t: F.bilinear(a, a, im[0, :, :4, :4]), LONG, SHORT),
    "softmax": (lambda a, b, im, t: a.softmax(-1), LONG, SHORT),
    "layer_norm": (lambda a, b, im, t: F.layer_norm(a, (4,)), LONG, SHORT),
    "group_norm": (lambda a, b, im, t: F.group_norm(im, 1), LONG, SHORT),
    "exp": (lambda a, b, im, t: a.exp(), LONG, SHORT),
    "sum": (lambda a, b, im, t: a.sum(), LONG, SHORT),
    "gelu": (lambda a, b, im, t: F.gelu(a), LONG, SHORT),
    "add": (lambda a, b, im, t: a + a, LONG, SHORT),
    "max_pool2d": (lambda a, b, im, t: F.max_pool2d(im, 2), LONG, SHORT),
    "embedding": (lambda a, b, im, t: F.embedding(LABELS, a), LONG, SHORT),
    "prod": (lambda a, b, im, t: a.prod(), LONG, LONG),
    "trace": (lambda a, b, im, t: a[:, :3].trace(), LONG, LONG),
    "cross_entropy": (lambda a, b, im, t: F.cross_entropy(a, LABELS), LONG, LONG),
    "nll_loss": (lambda a, b, im, t: F.nll_loss(a, LABELS), LONG, LONG),
    "mse_loss": (lambda a, b, im, t: F.mse_loss(a, a), LONG, LONG),
    "huber_loss": (lambda a, b, im, t: F.huber_loss(a, a), LONG, LONG),
    "logits": (lambda a, b, im, t: F.binary_cross_entropy_with_logits(a, a), LONG, LONG),
    "kl_div": (lambda a, b, im, t: F.kl_div(a, a, reduction="sum"), LONG, LONG),
    "triplet": (lambda a, b, im, t: F.triplet_margin_loss(a, a, a), LONG, LONG),
    "gaussian": (lambda a, b, im, t: F.gaussian_nll_loss(a, a, a), LONG, SHORT),
    "cat": (lambda a, b, im, t: mg.cat([a, some(3, 4)]), LONG, LONG),
    "cdist": (lambda a, b, im, t: mg.cdist(a, a), LONG, LONG),
    "inverse": (lambda a, b, im, t: mg.inverse(a[:, :3] + 4 * mg.eye(3).to(a.dtype)), LONG, LONG),
    "grid_sample": (lambda a, b, im, t: F.grid_sample(im, im[:, :2, :3, :2], align_corners=False), LONG, LONG),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_dtype_of_each_op(name: str) -> None:
    call, *wanted = CALLS[name]
    for kind, want in zip((mg.float32, mg.bfloat16), wanted, strict=True):
        given = [some(*shape, dtype=kind) for shape in ((3, 4), (4, 5), (2, 3, 6, 6), (2, 3, 4))]
        with mg.autocast("cpu", dtype=mg.bfloat16):
            assert str(call(*given).dtype).endswith(want), kind


def test_a_product_is_that_of_the_rounded_operands() -> None:
    a, b = some(3, 4), some(4, 5)
    with mg.autocast("cpu"):
        y = a @ b
    exact = a.bfloat16().double() @ b.bfloat16().double()
    assert mg.equal(y, exact.float().bfloat16())
    assert (a.double() @ b.double()).sub(exact).abs().max() > 1e-4  # the rounding is there to be seen


def test_float64_stays_and_so_does_what_is_disabled() -> None:
    a = some(3, 3)
    with mg.autocast("cpu", dtype=mg.float16):
        assert (a.double() @ a.double()).dtype is mg.float64 and (a @ a).dtype is mg.float16
        with mg.autocast("cpu", enabled=False):
            assert (a @ a).dtype is mg.float32
        assert mg.get_autocast_dtype("cpu") is mg.float16
    assert (a @ a).dtype is mg.float32


def test_the_block_is_of_its_thread() -> None:
    found = []
    with mg.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append((some(2, 2) @ some(2, 2)).dtype))
        thread.start()
        thread.join()
    assert found == [mg.float32]


def network() -> nn.Module:
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 3))


@pytest.mark.parametrize("inside", [True, False])
def test_weights_and_gradients_stay_float32(inside: bool) -> None:
    """Backward computes in bfloat16 what forward did, inside of the block or out; the gradients differ little."""
    x, wanted = some(8, 6), []
    labels = mg.arange(8) % 3
    for short in (False, True):
        model = network()
        with mg.autocast("cpu", enabled=short):
            loss = F.cross_entropy(model(x), labels)
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        assert all(p.dtype is mg.float32 and p.grad.dtype is mg.float32 for p in model.parameters())
        wanted.append(mg.cat([p.grad.flatten() for p in model.parameters()]))
    exact, rounded = wanted
    assert 0 < (exact - rounded).norm() < 0.02 * exact.norm()


def test_the_gradient_of_a_gradient() -> None:
    a = some(3, 3).requires_grad_()
    with mg.autocast("cpu"):
        y = ((a @ a) ** 2).sum()
        (first,) = mg.autograd.grad(y, a, create_graph=True)
        first.square().sum().backward()
    assert a.grad.dtype is mg.float32 and a.grad.isfinite().all()


def test_it_learns() -> None:
    model, labels = network(), mg.arange(12) % 3
    x = F.one_hot(labels, 6).float() + 0.1 * some(12, 6)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        with mg.autocast("cpu", dtype=mg.bfloat16):
            loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_on_a_gpu_softmax_and_norms_are_float32() -> None:
    with as_cuda(common):
        x = some(4, 6).to("cuda")
        model = network().to("cuda")
        with mg.autocast("cuda"), no_sync():
            y = x @ x.T
            assert y.dtype is mg.float16 and y.softmax(-1).dtype is mg.float32
            assert (
                F.layer_norm(y, (4,)).dtype is mg.float32
                and y.relu().dtype is mg.float16
                and y.sum().dtype is mg.float32
            )
            assert F.group_norm(y[None], 1).dtype is mg.float32 and F.rms_norm(y, (4,)).dtype is mg.float32
            assert model(x).dtype is mg.float16
        with mg.autocast("cpu"):
            assert (x @ x.T).dtype is mg.float32  # a block of another device
        with mg.autocast("cuda", dtype=mg.bfloat16):
            assert (some(2, 2) @ some(2, 2)).dtype is mg.float32 and (x @ x.T).dtype is mg.bfloat16


def test_every_name_of_the_table_is_an_op() -> None:
    named = mixed_precision.LOWER.union(*mixed_precision.FULL.values())
    assert named <= set(REGISTRY), named - set(REGISTRY)
    assert not mixed_precision.LOWER & mixed_precision.FULL["cuda"]


@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_in_a_row_take_what_the_one_before_gave(transposed):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    model = nn.Sequential(kind(1, 2, 3), nn.ReLU(), kind(2, 1, 3))  # the second is given bfloat16, and has float32
    with mg.autocast("cpu", dtype=mg.bfloat16):
        y = model(some(1, 1, 6, 6))
    y.sum().backward()
    assert y.dtype == mg.bfloat16 and model[2].bias.grad.dtype == mg.float32
    with pytest.raises(RuntimeError, match=r"Input type \(torch.bfloat16\) and bias type"):
        model(some(1, 1, 6, 6, dtype=mg.bfloat16))
