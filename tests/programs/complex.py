"""Programs on complex tensors: parts, promotion, gradients (dL/dx + i dL/dy), printing, and rotary embeddings."""

import io

from programs.common import error_of

Z = [1 + 2j, -3 + 0.5j, 0.25 - 1j]
W = [2 - 1j, 0.5 + 0.5j, -1 + 3j]


def _gradients(m, loss, *data):
    leaves = [m.tensor(x, dtype=m.complex128, requires_grad=True) for x in data]
    return list(m.autograd.grad(loss(*leaves), leaves))


CASES = {
    "dtypes": lambda m: [
        m.tensor(1j).dtype, m.tensor([1, 2j]).dtype, m.complex64, m.cfloat is m.complex64, m.cdouble is m.complex128,
        m.complex64.is_complex, m.complex64.is_floating_point, m.float32.is_complex, m.complex128.itemsize,
    ],
    "default": lambda m: m.full((2,), 1j),
    "from numbers": lambda m: [m.tensor([1, 2.5, 3j]), m.tensor([[1j]]), m.zeros(2, dtype=m.cfloat)],
    "to numbers": lambda m: [
        m.tensor(1 + 2j).item(), m.tensor(Z).tolist(), complex(m.tensor([1 + 2j])), m.tensor(Z).numpy(),
    ],
    "float of a complex number": lambda m: float(m.tensor(1j)),
    "float of a real complex number": lambda m: float(m.tensor(2 + 0j)),
    "parts": lambda m: [m.tensor(Z).real, m.tensor(Z).imag, m.real(m.tensor(Z)), m.imag(m.tensor(Z))],
    "parts of real numbers": lambda m: [m.ones(2).real, error_of(lambda: m.ones(2).imag)],
    "a part is written": lambda m: [z := m.tensor(Z), z.real.mul_(2), z.imag.zero_(), z][-1],
    "size and angle": lambda m: [
        m.tensor(Z).abs(), m.tensor(Z).angle(), m.tensor(Z).sgn(), m.tensor([1.0, -1.0, 0.0]).angle(),
    ],
    "angle of integers": lambda m: m.tensor([1, -1]).angle(),
    "conj": lambda m: [
        m.tensor(Z).conj() * 1, m.conj(m.ones(2)), m.tensor([Z]).mH * 1, m.tensor([Z]).adjoint() * 1,
    ],
    "is": lambda m: [
        m.is_complex(m.tensor(Z)), m.tensor(Z).is_complex(), m.is_complex(m.ones(1)), m.tensor(Z).isreal(),
    ],
    "type": lambda m: [m.tensor(Z).type(), m.tensor(Z).cdouble().type()],
    "casts": lambda m: [
        m.ones(2).to(m.cfloat), m.ones(2).cdouble(), m.tensor([0j, 1j]).bool(), m.ones(2).half().cfloat(),
    ],
    "promotion": lambda m: [
        (a * b).dtype
        for a in (m.ones(2), m.ones(2).double(), m.ones(2).long(), m.tensor(Z[:2]), m.tensor(1j).cdouble(),
                  m.tensor(1.0))
        for b in (1j, m.tensor(2j), m.tensor(W[:2]), m.tensor(W[:2]).cdouble(), 2.5, m.tensor(1.0).double(),
                  m.ones(2).double())
    ],
    "result_type": lambda m: [
        m.result_type(m.ones(2), m.tensor(1j).cdouble()), m.result_type(m.ones(2).double(), m.tensor(1j)),
    ],
    "promote_types": lambda m: [
        m.promote_types(a, b)
        for a in (m.complex64, m.complex128)
        for b in (m.bool, m.int64, m.float16, m.float32, m.float64, m.complex64)
    ],
    "arithmetic": lambda m: [f(m.tensor(Z), m.tensor(W)) for f in (m.add, m.sub, m.mul, m.div)],
    "numbers": lambda m: [2 * m.tensor(Z), m.tensor(Z) - 1j, 1 / m.tensor(Z), m.tensor(Z) ** 2, m.ones(2) * (1 + 1j)],
    "equality": lambda m: [
        m.tensor(Z) == m.tensor(Z), m.tensor(Z) != 1 + 2j, m.allclose(m.tensor(Z), m.tensor(Z) + 1e-9),
    ],
    "functions": lambda m: [
        f(m.tensor(Z)) for f in (m.exp, m.log, m.sqrt, m.sin, m.cos, m.tanh, m.square, m.reciprocal, m.sigmoid)
    ],
    "reductions": lambda m: [
        m.tensor(Z).sum(), m.tensor(Z).mean(), m.tensor(Z).prod(), m.tensor(Z).norm(), m.tensor(Z).cumsum(0),
        m.tensor(Z).all(),
    ],
    "shapes": lambda m: [
        m.tensor([Z, W]).T, m.tensor([Z, W]).reshape(3, 2)[1:], m.cat([m.tensor(Z), m.ones(1)]),
        m.stack([m.tensor(Z)] * 2),
    ],
    "choice": lambda m: [
        m.where(m.tensor([True, False, True]), m.tensor(Z), 0.0),
        m.tensor(Z).masked_fill(m.tensor([True, False, False]), 2j),
    ],
    "matmul": lambda m: [m.tensor([Z, W]) @ m.tensor(W), m.einsum("i,j->ij", m.tensor(Z), m.tensor(W))],
    "in place": lambda m: [z := m.tensor(Z), z.mul_(1j), z.add_(1), z.__setitem__(0, 5), z][-1],
    "in place, into real": lambda m: m.ones(3).mul_(m.tensor(Z)),
    "polar": lambda m: [m.polar(m.ones(2), m.tensor([0.5, 1.0])), m.polar(m.ones(2, 1), m.tensor([0.5, 1.0, 2.0]))],
    "polar, two dtypes": lambda m: m.polar(m.ones(2), m.ones(2).double()),
    "polar of integers": lambda m: m.polar(m.ones(2).long(), m.ones(2).long()),
    "complex": lambda m: [m.complex(m.ones(2), m.zeros(2)), m.complex(m.ones(2).double(), m.zeros(1).double())],
    "complex, two dtypes": lambda m: m.complex(m.ones(2), m.ones(2).double()),
    "view_as_complex": lambda m: [x := m.arange(6.0).reshape(3, 2), z := m.view_as_complex(x), z.zero_(), x][-1],
    "view_as_complex of three": lambda m: m.view_as_complex(m.ones(2, 3)),
    "view_as_complex of integers": lambda m: m.view_as_complex(m.ones(2, 2).long()),
    "view_as_complex of strides": lambda m: m.view_as_complex(m.ones(2, 4)[:, ::2]),
    "view_as_complex of odd strides": lambda m: m.view_as_complex(m.ones(2, 3)[:, :2]),
    "view_as_real": lambda m: [z := m.tensor(Z), m.view_as_real(z).mul_(2), z][-1],
    "view_as_real of real": lambda m: m.view_as_real(m.ones(2)),
    "gradient of |z|": lambda m: _gradients(m, lambda z: z.abs().sum(), Z),
    "gradient of |z| at 0": lambda m: _gradients(m, lambda z: z.abs().sum(), [0j, 1 + 0j]),
    "gradient of a product": lambda m: _gradients(m, lambda z, w: (z * w).real.sum(), Z, W),
    "gradient of a quotient": lambda m: _gradients(m, lambda z, w: (z / w).imag.sum(), Z, W),
    "gradient of z conj z": lambda m: _gradients(m, lambda z: (z * z.conj()).real.sum(), Z),
    "gradient of functions": lambda m: [
        _gradients(m, lambda z, f=f: (f(z) * 2j).real.sum(), Z)
        for f in (m.exp, m.log, m.sqrt, m.sin, m.reciprocal, m.square)
    ],
    "gradient of powers": lambda m: [_gradients(m, lambda z, p=p: (z**p).abs().sum(), Z) for p in (2, 0.5, -1, 1j)],
    "gradient of angle": lambda m: _gradients(m, lambda z: z.angle().sum(), Z),
    "gradient of sgn": lambda m: _gradients(m, lambda z: z.sgn().real.sum(), Z),
    "gradient of prod": lambda m: _gradients(m, lambda z: z.prod().abs(), Z),
    "gradient of matmul": lambda m: _gradients(m, lambda z, w: (z @ w).abs().sum(), [Z, W], W),
    "gradient of a real factor": lambda m: m.autograd.grad(
        (m.tensor(Z) * (x := m.ones(3, requires_grad=True))).abs().sum(), x
    ),
    "gradient of a cast": lambda m: m.autograd.grad(
        ((x := m.ones(3, requires_grad=True)).cfloat() * 1j + 1).abs().sum(), x
    ),
    "gradient of a complex scalar": lambda m: m.tensor(Z, requires_grad=True).sum().backward(),
    "gradient given": lambda m: m.autograd.grad(
        (z := m.tensor(Z, requires_grad=True)) * 2j, z, m.ones(3, dtype=m.cfloat)
    ),
    "second gradient": lambda m: [
        z := m.tensor(Z, dtype=m.complex128, requires_grad=True),
        g := m.autograd.grad((z**3).abs().sum(), z, create_graph=True)[0],
        m.autograd.grad(g.abs().sum(), z)[0],
    ][-1],
    "grad accumulates": lambda m: [
        z := m.tensor(Z, requires_grad=True), z.abs().sum().backward(), z.abs().sum().backward(), z.grad,
    ][-1],
    "randn": lambda m: [m.manual_seed(0), m.randn(3, dtype=m.cfloat), m.randn(10, dtype=m.cdouble)][1:],
    "no order": lambda m: [
        error_of(lambda f=f: f(m.tensor(Z))) != "no error"
        for f in (m.max, m.argmax, m.sort, m.relu, m.floor, m.sign, m.erf, m.round, m.median, lambda z: z < z,
                  lambda z: z.clamp(0), lambda z: z % 2, lambda z: m.maximum(z, z), lambda z: m.softmax(z, 0),
                  lambda z: z // 2, lambda z: z.topk(1))
    ],
    "format": lambda m: [f"{m.tensor(1 + 2j)}", f"{m.tensor(1 + 2j):.2f}"],
    "finfo": lambda m: [m.finfo(m.complex64).eps, m.finfo(m.complex128).max],
}  # fmt: skip


def rotary_embedding(m):
    """Llama's, word for word in its steps."""
    dim, end, theta = 4, 6, 10000.0
    freqs = 1.0 / (theta ** (m.arange(0, dim, 2)[: (dim // 2)].float() / dim))
    freqs = m.outer(m.arange(end, device=freqs.device), freqs).float()
    freqs_cis = m.polar(m.ones_like(freqs), freqs)
    xq = (m.arange(2 * 5 * 3 * 4).reshape(2, 5, 3, 4) / 10).requires_grad_()
    xq_ = m.view_as_complex(xq.float().reshape(*xq.shape[:-1], -1, 2))
    shape = [d if i == 1 or i == xq_.ndim - 1 else 1 for i, d in enumerate(xq_.shape)]
    out = m.view_as_real(xq_ * freqs_cis[:5].view(*shape)).flatten(3).type_as(xq)
    (out * m.arange(out.numel()).view_as(out)).sum().backward()
    return [freqs_cis, out, xq.grad]


def buffers(m):
    class Rotary(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("freqs", m.polar(m.ones(3), m.arange(3.0)))
            self.register_buffer("hidden", m.tensor([1j]), persistent=False)
            self.weight = m.nn.Parameter(m.ones(2))

    module = Rotary()
    state = module.state_dict()
    file = io.BytesIO()
    m.save({"state": state, "number": 2 - 3j}, file)
    file.seek(0)
    loaded = m.load(file)
    other = Rotary()
    other.freqs.zero_()
    other.load_state_dict(loaded["state"])
    double = Rotary().double()
    return [list(state), other.freqs, loaded["number"], double.freqs.dtype, Rotary().to(m.complex128).weight.dtype]


def custom_function(m):
    class Turn(m.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * 1j

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * -1j

    return _gradients(m, lambda z: Turn.apply(z).real.sum(), Z)


def hooks(m):
    z = m.tensor(Z, requires_grad=True)
    w = z * 2j
    seen = []
    w.register_hook(lambda g: seen.append(g) or g * 2)
    w.retain_grad()
    w.abs().sum().backward()
    return [*seen, w.grad, z.grad]


def checkpointed(m):
    from importlib import import_module

    checkpoint = import_module(f"{m.__name__}.utils.checkpoint").checkpoint
    z = m.tensor(Z, requires_grad=True)
    checkpoint(lambda z: (z * z).exp(), z, use_reentrant=False).abs().sum().backward()
    return z.grad
