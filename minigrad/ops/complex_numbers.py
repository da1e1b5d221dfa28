"""Complex numbers: their parts, size and angle, and the ways from pairs of real numbers and back.

**The gradient of a complex z = x + i y is dL/dx + i dL/dy**, for a real loss L: the direction in which L grows fastest,
as PyTorch has it. For a function w = f(z) with a complex derivative that makes dz = dw conj(f'(z)), where a rule
written for real numbers says dw f'(z). So the rules of all such functions (sums, products, powers, exp, shapes,
indexing ...) are used as they are: the walk hands them conj(dw) and conjugates what they give (`autograd.conjugated`).
The functions in this file have no complex derivative; they are marked `holomorphic=False` and state their gradient.
"""

from minigrad import dtype as dtypes
from minigrad.backend import kernels_of
from minigrad.dtype import is_complex
from minigrad.grad_names import named
from minigrad.op import op
from minigrad.ops.elementwise import abs, mul, where, zeros_as
from minigrad.ops.transcendental import cos, sin
from minigrad.tensor import Tensor


@op(view=True, holomorphic=False)
def real(z):
    """The real part; of real numbers, themselves."""
    return z.real


@real.vjp
def real_vjp(dy):
    return with_parts(dy, zeros_as(dy))


@op(view=True, holomorphic=False)
def imag(z):
    """The imaginary part."""
    return z.imag


@imag.vjp
def imag_vjp(dy):
    return with_parts(zeros_as(dy), dy)


@op(holomorphic=False)
def with_parts(re, im):
    """re + i im."""
    return kernels_of(re).with_parts(re, im)


@with_parts.vjp
def with_parts_vjp(dy):
    return real(dy), imag(dy)


@op(holomorphic=False)
def conj(z):
    """x - i y."""
    return z.conj()


@conj.vjp
def conj_vjp(dy):
    return conj(dy)


@op(holomorphic=False)
def sgn(z):
    """z / |z|, and 0 at 0; the gradient there is 0."""
    return kernels_of(z).sgn(z)


@sgn.vjp
def sgn_vjp(dy, z, y):
    size = abs(z)
    along = real(mul(conj(y), dy))  # moving along z does not turn it
    return where(size > 0, (dy - y * along) / where(size > 0, size, 1.0), 0.0)


@op(promotion="float", holomorphic=False)
def angle(z):
    """The angle of z in (-pi, pi]: 0 or pi for a real number. The gradient at 0 is 0."""
    return kernels_of(z).angle(z)


@angle.vjp
def angle_vjp(dy, z):
    if not is_complex(z):
        return zeros_as(dy)
    x, y = real(z), imag(z)
    square = x * x + y * y
    scaled = where(square > 0, dy / where(square > 0, square, 1.0), 0.0)
    return with_parts(-y * scaled, x * scaled)


@op(view=True, holomorphic=False)
def view_as_complex(x):
    """(..., 2) real numbers as complex ones: each pair is a real and an imaginary part, in the same memory."""
    return x.view(dtypes.of(x.dtype).to_complex().numpy)[..., 0]


@view_as_complex.vjp
def view_as_complex_vjp(dy):
    return view_as_real(dy)


@op(view=True, holomorphic=False)
def view_as_real(z):
    """Complex numbers as pairs (..., 2) of their real and imaginary parts, in the same memory."""
    return kernels_of(z).view_as_real(z)


@view_as_real.vjp
def view_as_real_vjp(dy):
    return with_parts(dy[..., 0], dy[..., 1])


# ---------------------------------------------------------------- compositions, with PyTorch's demands


def pairs_as_complex(input: Tensor) -> Tensor:
    """`view_as_complex`, where dtype, shape and strides allow it."""
    if input.array.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"view_as_complex is only supported for float and double tensors, but got {input.dtype}")
    if input.array.ndim == 0 or input.array.shape[-1] != 2:
        raise RuntimeError(
            f"view_as_complex: Tensor must have a last dimension of size 2, got shape {list(input.shape)}"
        )
    if input.array.size and (input.stride(-1) != 1 or any(step % 2 for step in input.stride()[:-1])):
        raise RuntimeError(
            f"view_as_complex: Tensor must have a last dimension with stride 1 and other strides divisible by 2, got "
            f"{input.stride()}; use x.contiguous()"
        )
    return view_as_complex(input)


def complex_as_pairs(input: Tensor) -> Tensor:
    """`view_as_real`, of complex tensors only."""
    if not is_complex(input):
        raise RuntimeError(f"view_as_real is only supported for complex tensors, got {input.dtype}")
    return view_as_real(input)


def _two_real(name: str, a: Tensor, b: Tensor) -> None:
    for x in (a, b):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}")
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: Expected object of scalar type {a.dtype} but got scalar type {b.dtype} for second argument"
        )
    if a.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}: Expected both inputs to be Float or Double tensors but got {a.dtype}")


def complex(real: Tensor, imag: Tensor) -> Tensor:
    """The complex tensor with these parts, both float32 or both float64; they broadcast."""
    _two_real("complex", real, imag)
    return with_parts(real, imag)


def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """abs e^(i angle) = abs cos(angle) + i abs sin(angle)."""
    _two_real("polar", abs, angle)
    return named(with_parts(mul(abs, cos(angle)), mul(abs, sin(angle))), "PolarBackward0")
