"""Attention in 16 bits: by cuDNN (a fake that executes what is described to it), and by our kernel, widened."""

import sys
from collections.abc import Iterator

import cuda_on_host
import fake_cudnn
import numpy as np
import pytest
import strict_cupy
from strict_modes import no_sync

import minigrad as mg
from minigrad import graphs, ops
from minigrad.kernels import gpu
from minigrad.kernels.cuda import cudnn_attention, graph
from minigrad.nn import functional as F

RNG = np.random.default_rng(3)


@pytest.fixture
def card(monkeypatch) -> Iterator[None]:
    """The stand-in with our kernels."""
    if cuda_on_host.COMPILER is None:
        pytest.skip("no C++ compiler: install g++ (or clang++) to run the CUDA kernels on the CPU")
    monkeypatch.setattr(strict_cupy.strict, "RawModule", cuda_on_host.RawModule, raising=False)
    with strict_cupy.as_cuda(gpu):
        yield


@pytest.fixture
def cudnn(card, request) -> Iterator[fake_cudnn.Cudnn]:
    library = fake_cudnn.Cudnn(**getattr(request, "param", {}))
    with pytest.MonkeyPatch.context() as patch:  # undone before `card` puts the library back
        patch.setattr(cudnn_attention, "library", lambda: library)
        patch.setattr(cudnn_attention, "_handles", {})
        patch.setattr(cudnn_attention, "_graphs", {})
        yield library


def on_gpu(array: np.ndarray, dtype: str = "bfloat16") -> mg.Tensor:
    return mg.tensor(array.astype(np.float32), device="cpu").to(getattr(mg, dtype)).to("cuda")


def drawn(*shapes: tuple[int, ...], dtype: str = "bfloat16") -> list[mg.Tensor]:
    return [on_gpu(RNG.standard_normal(shape), dtype) for shape in shapes]


def attended(arrays, dy, causal=False, mask=None):
    """Values and gradients."""
    leaves = [x.detach().requires_grad_() for x in arrays]
    with no_sync():
        y = ops.attention(*leaves, mask, scale=0.3, causal=causal)
        y.backward(dy)
    return [y.detach(), *(x.grad for x in leaves)]


def check(found, arrays, dy, causal=False, mask=None) -> None:
    """Against the definition in float64, as close as 16 bits are."""
    wide = [x.cpu().double() for x in (*arrays, dy)]
    leaves = [x.requires_grad_() for x in wide[:3]]
    seen = None if mask is None else mg.tensor(mask.get() if hasattr(mask, "get") else mask).array
    y = ops.masked_attention(*leaves, seen, None, scale=0.3, causal=causal)
    y.backward(wide[3])
    for a, b in zip(found, [y.detach(), *(x.grad for x in leaves)], strict=True):
        assert a.dtype == arrays[0].dtype and a.is_cuda
        a, b = a.cpu().double().numpy(), b.numpy()
        assert np.abs(a - b).max() <= (0.02 if arrays[0].dtype == mg.bfloat16 else 0.003) * np.abs(b).max()


SHAPES = {
    "(B, H, T, D)": [(2, 3, 5, 8)] * 3,
    "other lengths": [(2, 1, 5, 8), (2, 1, 7, 8), (2, 1, 7, 8)],
    "three axes": [(4, 6, 16)] * 3,
    "two axes": [(6, 8)] * 3,
    "five axes": [(2, 1, 2, 3, 8)] * 3,
    "one key": [(1, 1, 3, 8), (1, 1, 1, 8), (1, 1, 1, 8)],
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_values_and_gradients(cudnn, shapes, causal, dtype):
    arrays, dy = drawn(*shapes, dtype=dtype), drawn(shapes[0], dtype=dtype)[0]
    check(attended(arrays, dy, causal), arrays, dy, causal)
    assert cudnn.executed == ["sdpa", "sdpa_backward"]


@pytest.mark.parametrize("cudnn", [{"newer": False}], indirect=True)
def test_a_frontend_without_a_list_of_plans(cudnn):
    arrays, dy = drawn(*[(2, 3, 5, 8)] * 3), drawn((2, 3, 5, 8))[0]
    check(attended(arrays, dy), arrays, dy)
    assert cudnn.executed == ["sdpa", "sdpa_backward"]


def test_a_graph_is_built_once_for_a_shape_a_layout_a_scale_and_a_mask(cudnn):
    arrays = drawn(*[(2, 3, 5, 8)] * 3)
    for _ in range(3):
        ops.attention(*arrays, None, scale=0.3, causal=False)
    assert cudnn.built == ["sdpa"] and len(cudnn.executed) == 3
    ops.attention(*arrays, None, scale=0.4, causal=False)
    ops.attention(*arrays, None, scale=0.3, causal=True)
    ops.attention(*drawn(*[(2, 3, 6, 8)] * 3), None, scale=0.3, causal=True)
    ops.attention(*drawn(*[(2, 3, 6, 8)] * 3, dtype="float16"), None, scale=0.3, causal=True)
    assert len(cudnn.built) == 5 and len(cudnn_attention._handles) == 1


def test_slices_of_one_projection_are_read_in_place(cudnn, monkeypatch):
    B, T, H, D = 2, 5, 2, 8
    packed = drawn((B, T, 3 * H * D))[0]
    q, k, v = (t.view(B, T, H, D).transpose(1, 2) for t in packed.split(H * D, dim=2))
    addresses = []
    usual = fake_cudnn.Pygraph.execute

    def execute(self, tensor_dict, workspace, handle):
        addresses.append([tensor_dict[cudnn_attention.UIDS[name]] for name in "qkv"])
        usual(self, tensor_dict, workspace, handle)

    monkeypatch.setattr(fake_cudnn.Pygraph, "execute", execute)
    dy = drawn((B, H, T, D))[0]
    check(attended([q, k, v], dy), [q, k, v], dy)
    assert addresses == [[x.array.data.ptr for x in (q, k, v)]] * 2


def test_what_lies_otherwise_is_copied(cudnn):
    q = drawn((2, 3, 8, 5))[0].transpose(2, 3)  # the last axis in steps
    k = drawn((2, 3, 5, 12))[0][..., 2:10]  # 4 bytes off, in steps of 24
    v = on_gpu(RNG.standard_normal((2, 1, 5, 8))).expand(2, 3, 5, 8)
    dy = drawn((1, 1, 1, 8))[0].expand(2, 3, 5, 8)
    check(attended([q, k, v], dy), [q, k, v], dy)
    assert cudnn.executed == ["sdpa", "sdpa_backward"]


@pytest.mark.parametrize("cudnn", [{"refuses": (5,)}], indirect=True)
def test_what_it_declines_our_kernel_takes(cudnn):
    T = 5
    arrays, dy = drawn(*[(2, 3, T, 8)] * 3), drawn((2, 3, T, 8))[0]
    check(attended(arrays, dy), arrays, dy)
    assert cudnn.executed == [] and len(cudnn_attention._graphs) == 2  # asked once, and remembered


@pytest.mark.parametrize("cudnn", [{"fails": (5,)}], indirect=True)
def test_an_error_of_another_kind_is_told_once(cudnn):
    arrays = drawn(*[(2, 3, 5, 8)] * 3)
    with pytest.warns(UserWarning, match="could not be built: TypeError: .*enable_cudnn_sdp"):
        first = ops.attention(*arrays, None, scale=0.3, causal=False)
    again = ops.attention(*arrays, None, scale=0.3, causal=False)
    assert cudnn.executed == [] and first.tolist() == again.tolist()


def test_what_is_not_asked_of_it(cudnn, monkeypatch):
    mask = mg.ones(5, 5, device="cuda").bool().tril().array
    for shape, given, dtype in [((2, 3, 5, 8), mask, "bfloat16"), ((2, 3, 5, 12), None, "float16"),
                                ((2, 3, 1, 8), None, "bfloat16"), ((2, 3, 5, 8), None, "float32")]:  # fmt: skip
        arrays, dy = drawn(*[shape] * 3, dtype=dtype), drawn(shape, dtype=dtype)[0]
        attended(arrays, dy, mask=given)
    mg.backends.cuda.enable_cudnn_sdp(False)
    arrays, dy = drawn(*[(2, 3, 5, 8)] * 3), drawn((2, 3, 5, 8))[0]
    attended(arrays, dy)
    assert cudnn.executed == [] and not mg.backends.cuda.cudnn_sdp_enabled()
    mg.backends.cuda.enable_cudnn_sdp(True)
    attended(arrays, dy)
    assert len(cudnn.executed) == 2
    monkeypatch.setattr(cudnn_attention, "MOST_GRAPHS", 2)
    attended(drawn(*[(2, 3, 7, 8)] * 3), drawn((2, 3, 7, 8))[0])
    assert len(cudnn.executed) == 2


def test_the_library_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "cudnn", None)
    assert cudnn_attention.library.__wrapped__() is None

    class Without:
        pygraph = None

        @staticmethod
        def backend_version():
            raise RuntimeError("Unable to find symbol cudnnGetVersion")

    monkeypatch.setitem(sys.modules, "cudnn", Without)
    assert cudnn_attention.library.__wrapped__() is None
    Without.backend_version = staticmethod(lambda: 92801)
    assert cudnn_attention.library.__wrapped__() is Without


# ---------------------------------------------------------------- captured


def test_a_captured_step(cudnn):
    """Built in the runs before; the replays execute it on the batch they are given."""
    weight = mg.nn.Parameter(drawn((8, 24), dtype="float16")[0])
    optimizer = mg.optim.SGD([weight], lr=0.1)
    found = []

    def step(x):
        q, k, v = (x.unsqueeze(-1) * weight[0]).split(8, dim=-1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        optimizer.zero_grad()
        y.float().square().mean().backward()
        optimizer.step()
        return y

    captured = graphs.captured(step, optimizer)
    batches = [drawn((2, 2, 5), dtype="float16")[0] for _ in range(6)]
    start = weight.detach().clone()
    found = [captured(x).tolist() for x in batches]
    assert captured.replays == 3 and cudnn.built == ["sdpa", "sdpa_backward"]
    weight.data.copy_(start)
    assert [step(x).tolist() for x in batches] == found


def test_a_graph_is_not_built_in_a_capture(cudnn):
    arrays = drawn(*[(2, 3, 5, 8)] * 3)
    warm = ops.attention(*arrays, None, scale=0.3, causal=True)
    other = drawn(*[(2, 3, 6, 8)] * 3)
    ops.attention(*[x.float() for x in other], None, scale=0.3, causal=True)  # compiles
    captured = graph.Graph()
    y, z = captured.capture(lambda: [ops.attention(*some, None, scale=0.3, causal=True) for some in (arrays, other)])
    captured.replay()
    assert y.tolist() == warm.tolist() and cudnn.built == ["sdpa"]
    assert z.tolist() == gpu_alone(other)


def gpu_alone(arrays):
    cudnn_attention.enabled = False
    try:
        return ops.attention(*arrays, None, scale=0.3, causal=True).tolist()
    finally:
        cudnn_attention.enabled = True


# ---------------------------------------------------------------- without it


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mask", [None, "seen", "added", "added in 16 bits"])
def test_our_kernel_takes_16_bits_widened(card, dtype, mask, monkeypatch):
    launched = []
    usual = gpu.launch
    monkeypatch.setattr(gpu, "launch", lambda name, *rest: (launched.append(name), usual(name, *rest)))
    arrays, dy = drawn(*[(2, 3, 5, 4)] * 3, dtype=dtype), drawn((2, 3, 5, 4), dtype=dtype)[0]
    given = None
    if mask == "seen":
        given = mg.ones(5, 5, device="cuda").bool().tril().array
    elif mask is not None:
        given = on_gpu(RNG.standard_normal((5, 5)), dtype if "16" in mask else "float32").array
    wide = None if given is None else given if mask == "seen" else given.astype("float64")
    check(attended(arrays, dy, mask=given), arrays, dy, mask=wide)
    assert launched == ["attention_fwd", "attention_delta", "attention_dq", "attention_dkv"]


def test_autocast_brings_attention_to_16_bits(cudnn):
    x = mg.ones(1, 2, 5, 8, device="cuda")
    with mg.autocast("cuda", dtype=mg.bfloat16):
        y = F.scaled_dot_product_attention(x, x, x, is_causal=True)
    assert y.dtype == mg.bfloat16 and cudnn.executed == ["sdpa"]
