"""minigrad: a deep learning engine written from scratch, with PyTorch's names and numbers.

The public names, in one list. What has a Tensor method is that method, called as a function: see functions.py.
"""

import warnings
from typing import TYPE_CHECKING

# log(0), x / 0 and overflow are silent, as in PyTorch: inf and nan say it. np.errstate would cost 680 ns a call.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minigrad\.")

from math import e, inf, nan, pi

from minigrad.tensor import Size, Tensor  # isort: skip  (first: tensor.py and ops/ import each other)
from minigrad import autograd, backend, dtype as _dtype, functions, indices, linalg, ops, random
from minigrad.alias import alias
from minigrad.anomaly import is_anomaly_enabled, set_detect_anomaly
from minigrad.arguments import must_be_condition, must_be_tensor
from minigrad.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.backend import device, get_default_device, set_default_device
from minigrad.creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from minigrad.dtype import (
    DType,
    bfloat16,
    complex64,
    complex128,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
)
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from minigrad.legacy import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
)
from minigrad.more_functions import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    bartlett_window,
    blackman_window,
    block_diag,
    bucketize,
    can_cast,
    cartesian_prod,
    column_stack,
    combinations,
    cumulative_trapezoid,
    frombuffer,
    hamming_window,
    hann_window,
    isin,
    polygamma,
    range,
    scalar_tensor,
    searchsorted,
    set_default_tensor_type,
    set_flush_denormal,
    trapezoid,
    trapz,
    typename,
    unravel_index,
    vander,
    xlogy,
)
from minigrad.onemachine.amp import autocast, get_autocast_dtype, is_autocast_available, is_autocast_enabled
from minigrad.onemachine.settings import (
    are_deterministic_algorithms_enabled,
    compile,
    get_float32_matmul_precision,
    is_deterministic_algorithms_warn_only_enabled,
    set_float32_matmul_precision,
    use_deterministic_algorithms,
)
from minigrad.ops import (
    cat,
    cdist,
    complex,
    complex_as_pairs as view_as_real,
    dstack,
    einsum,
    hstack,
    meshgrid,
    pairs_as_complex as view_as_complex,
    pdist,
    polar,
    stack,
    tensordot,
    vstack,
)
from minigrad.out_of_memory import OutOfMemoryError
from minigrad.printing import get_printoptions, set_printoptions
from minigrad.random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from minigrad.runtime import get_num_threads, set_num_threads, show_config
from minigrad.serialization import load, save

if TYPE_CHECKING:  # imported when first used: see __getattr__ at the end
    from minigrad import data, distributions, func, graphs, io, metrics, nn, optim, utils, viz
    from minigrad.func import vmap

float, double, half = float32, float64, float16
cfloat, cdouble = complex64, complex128
long, int, short, bool = int64, int32, int16, _dtype.bool_
__version__ = "0.1.0"

# Elementwise.
add, sub, subtract, mul, multiply = Tensor.add, Tensor.sub, Tensor.subtract, Tensor.mul, Tensor.multiply
div, divide, true_divide = Tensor.div, Tensor.divide, Tensor.true_divide
floor_divide, remainder, fmod, rsub, pow = Tensor.floor_divide, Tensor.remainder, Tensor.fmod, Tensor.rsub, Tensor.pow
neg, negative, abs, absolute, sign = Tensor.neg, Tensor.negative, Tensor.abs, Tensor.absolute, Tensor.sign
exp, exp2, expm1, log, log1p, log2, log10 = (
    Tensor.exp, Tensor.exp2, Tensor.expm1, Tensor.log, Tensor.log1p, Tensor.log2, Tensor.log10,
)  # fmt: skip
sqrt, rsqrt, square, reciprocal = Tensor.sqrt, Tensor.rsqrt, Tensor.square, Tensor.reciprocal
sin, cos, tan, asin, acos, atan = Tensor.sin, Tensor.cos, Tensor.tan, Tensor.asin, Tensor.acos, Tensor.atan
arcsin, arccos, arctan, atan2, arctan2 = asin, acos, atan, Tensor.atan2, Tensor.atan2
sinh, cosh, tanh, sigmoid, erf, relu = (
    Tensor.sinh, Tensor.cosh, Tensor.tanh, Tensor.sigmoid, Tensor.erf, Tensor.relu,
)  # fmt: skip
floor, ceil, trunc, fix, frac, round = (
    Tensor.floor, Tensor.ceil, Tensor.trunc, Tensor.fix, Tensor.frac, Tensor.round,
)  # fmt: skip
clamp, clip, clamp_min, clamp_max = Tensor.clamp, Tensor.clip, Tensor.clamp_min, Tensor.clamp_max
maximum, minimum, lerp, addcmul, addcdiv = (
    Tensor.maximum, Tensor.minimum, Tensor.lerp, Tensor.addcmul, Tensor.addcdiv,
)  # fmt: skip
eq, ne, lt, le, gt, ge = Tensor.eq, Tensor.ne, Tensor.lt, Tensor.le, Tensor.gt, Tensor.ge
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
isclose, allclose, equal = Tensor.isclose, Tensor.allclose, Tensor.equal
isfinite, isinf, isnan, nan_to_num = Tensor.isfinite, Tensor.isinf, Tensor.isnan, Tensor.nan_to_num
logical_and, logical_or, logical_xor, logical_not = (
    Tensor.logical_and, Tensor.logical_or, Tensor.logical_xor, Tensor.logical_not,
)  # fmt: skip
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = (
    Tensor.bitwise_and, Tensor.bitwise_or, Tensor.bitwise_xor, Tensor.bitwise_not,
)  # fmt: skip
softmax, log_softmax = Tensor.softmax, Tensor.log_softmax
acosh, asinh, atanh, arccosh, arcsinh, arctanh = (
    Tensor.acosh, Tensor.asinh, Tensor.atanh, Tensor.arccosh, Tensor.arcsinh, Tensor.arctanh,
)  # fmt: skip
erfc, erfinv, lgamma, digamma, mvlgamma = Tensor.erfc, Tensor.erfinv, Tensor.lgamma, Tensor.digamma, Tensor.mvlgamma
sinc, logit, hypot, copysign = Tensor.sinc, Tensor.logit, Tensor.hypot, Tensor.copysign
logaddexp, logaddexp2 = Tensor.logaddexp, Tensor.logaddexp2
ldexp, frexp, deg2rad, rad2deg, float_power = (
    Tensor.ldexp, Tensor.frexp, Tensor.deg2rad, Tensor.rad2deg, Tensor.float_power,
)  # fmt: skip
positive, signbit, heaviside, nextafter, gcd, lcm = (
    Tensor.positive, Tensor.signbit, Tensor.heaviside, Tensor.nextafter, Tensor.gcd, Tensor.lcm,
)  # fmt: skip
bitwise_left_shift, bitwise_right_shift = Tensor.bitwise_left_shift, Tensor.bitwise_right_shift
isposinf, isneginf, fmax, fmin = Tensor.isposinf, Tensor.isneginf, Tensor.fmax, Tensor.fmin

# Complex numbers.
conj, conj_physical, resolve_conj = Tensor.conj, Tensor.conj_physical, Tensor.resolve_conj
angle, sgn, isreal, adjoint = Tensor.angle, Tensor.sgn, Tensor.isreal, Tensor.adjoint

# Reductions and orders.
sum, mean, nansum, prod, var, std = Tensor.sum, Tensor.mean, Tensor.nansum, Tensor.prod, Tensor.var, Tensor.std
var_mean, std_mean, amax, amin = Tensor.var_mean, Tensor.std_mean, Tensor.amax, Tensor.amin
max, min, median, argmax, argmin = Tensor.max, Tensor.min, Tensor.median, Tensor.argmax, Tensor.argmin
all, any, count_nonzero, logsumexp = Tensor.all, Tensor.any, Tensor.count_nonzero, Tensor.logsumexp
cumsum, cumprod, norm, topk, sort, argsort = (
    Tensor.cumsum, Tensor.cumprod, Tensor.norm, Tensor.topk, Tensor.sort, Tensor.argsort,
)  # fmt: skip
unique, histc, histogram, bincount = Tensor.unique, Tensor.histc, Tensor.histogram, Tensor.bincount
nanmean, nanmedian, quantile, nanquantile = Tensor.nanmean, Tensor.nanmedian, Tensor.quantile, Tensor.nanquantile
kthvalue, mode, aminmax, cummax, cummin = Tensor.kthvalue, Tensor.mode, Tensor.aminmax, Tensor.cummax, Tensor.cummin
logcumsumexp, msort, unique_consecutive = Tensor.logcumsumexp, Tensor.msort, Tensor.unique_consecutive
diff, cov, corrcoef, dist, renorm = Tensor.diff, Tensor.cov, Tensor.corrcoef, Tensor.dist, Tensor.renorm

# Shape.
reshape, flatten, ravel, unflatten = Tensor.reshape, Tensor.flatten, Tensor.ravel, Tensor.unflatten
permute, transpose, swapaxes, swapdims, movedim, moveaxis, t = (
    Tensor.permute, Tensor.transpose, Tensor.swapaxes, Tensor.swapdims, Tensor.movedim, Tensor.moveaxis, Tensor.t,
)  # fmt: skip
squeeze, unsqueeze, broadcast_to, tile = Tensor.squeeze, Tensor.unsqueeze, Tensor.broadcast_to, Tensor.tile
repeat_interleave, chunk, split_with_sizes, unbind = (
    Tensor.repeat_interleave, Tensor.chunk, Tensor.split_with_sizes, Tensor.unbind,
)  # fmt: skip
narrow, select, flip, roll, tril, triu = (
    Tensor.narrow, Tensor.select, Tensor.flip, Tensor.roll, Tensor.tril, Tensor.triu,
)  # fmt: skip
diagonal, diag, diag_embed, clone, detach = (
    Tensor.diagonal, Tensor.diag, Tensor.diag_embed, Tensor.clone, Tensor.detach,
)  # fmt: skip
tensor_split, hsplit, vsplit, dsplit = Tensor.tensor_split, Tensor.hsplit, Tensor.vsplit, Tensor.dsplit
unsafe_chunk, unsafe_split, unsafe_split_with_sizes = chunk, Tensor.unsafe_split, split_with_sizes
rot90, fliplr, flipud, diagflat, narrow_copy = (
    Tensor.rot90, Tensor.fliplr, Tensor.flipud, Tensor.diagflat, Tensor.narrow_copy,
)  # fmt: skip

# Indexing.
gather, take_along_dim, scatter, scatter_add, scatter_reduce = (
    Tensor.gather, Tensor.take_along_dim, Tensor.scatter, Tensor.scatter_add, Tensor.scatter_reduce,
)  # fmt: skip
index_select, index_add, index_copy, index_fill, index_put = (
    Tensor.index_select, Tensor.index_add, Tensor.index_copy, Tensor.index_fill, Tensor.index_put,
)  # fmt: skip
masked_fill, masked_select, nonzero = Tensor.masked_fill, Tensor.masked_select, Tensor.nonzero
masked_scatter, take, put, argwhere = Tensor.masked_scatter, Tensor.take, Tensor.put, Tensor.argwhere
select_scatter, slice_scatter, diagonal_scatter = (
    Tensor.select_scatter, Tensor.slice_scatter, Tensor.diagonal_scatter,
)  # fmt: skip

# Products.
matmul, mm, bmm, mv, dot = Tensor.matmul, Tensor.mm, Tensor.bmm, Tensor.mv, Tensor.dot
inner, outer, ger, trace = Tensor.inner, Tensor.outer, Tensor.ger, Tensor.trace
addmm, addmv, addbmm, baddbmm = Tensor.addmm, Tensor.addmv, Tensor.addbmm, Tensor.baddbmm
inverse, pinverse, det, logdet, slogdet = Tensor.inverse, Tensor.pinverse, Tensor.det, Tensor.logdet, Tensor.slogdet
matrix_power, matrix_exp, qr, svd = Tensor.matrix_power, Tensor.matrix_exp, Tensor.qr, Tensor.svd
cholesky, cholesky_solve, cholesky_inverse = Tensor.cholesky, Tensor.cholesky_solve, Tensor.cholesky_inverse
chain_matmul = linalg.chain_matmul
addr, vdot, kron, cross = Tensor.addr, Tensor.vdot, Tensor.kron, Tensor.cross

# In place.
abs_, neg_, exp_, exp2_, expm1_, log_, log1p_, log2_, log10_ = (
    Tensor.abs_, Tensor.neg_, Tensor.exp_, Tensor.exp2_, Tensor.expm1_, Tensor.log_, Tensor.log1p_, Tensor.log2_,
    Tensor.log10_,
)  # fmt: skip
sqrt_, rsqrt_, square_, reciprocal_ = Tensor.sqrt_, Tensor.rsqrt_, Tensor.square_, Tensor.reciprocal_
sin_, cos_, tan_, asin_, acos_, atan_ = Tensor.sin_, Tensor.cos_, Tensor.tan_, Tensor.asin_, Tensor.acos_, Tensor.atan_
sinh_, cosh_, tanh_, asinh_, acosh_, atanh_ = (
    Tensor.sinh_, Tensor.cosh_, Tensor.tanh_, Tensor.asinh_, Tensor.acosh_, Tensor.atanh_,
)  # fmt: skip
sigmoid_, relu_, erf_, erfc_, logit_, sinc_ = (
    Tensor.sigmoid_, Tensor.relu_, Tensor.erf_, Tensor.erfc_, Tensor.logit_, Tensor.sinc_,
)  # fmt: skip
floor_, ceil_, round_, trunc_, fix_, frac_ = (
    Tensor.floor_, Tensor.ceil_, Tensor.round_, Tensor.trunc_, Tensor.fix_, Tensor.frac_,
)  # fmt: skip
clamp_, clip_, clamp_min_, clamp_max_ = Tensor.clamp_, Tensor.clip_, Tensor.clamp_min_, Tensor.clamp_max_
nan_to_num_, deg2rad_, rad2deg_, xlogy_ = Tensor.nan_to_num_, Tensor.deg2rad_, Tensor.rad2deg_, Tensor.xlogy_
zero_, fill_, detach_, index_put_, addmv_ = (
    Tensor.zero_, Tensor.fill_, Tensor.detach_, Tensor.index_put_, Tensor.addmv_,
)  # fmt: skip


# Called as functions they take `input=` and `out=` besides.
for _name, _value in list(globals().items()):
    _method = vars(Tensor).get(getattr(_value, "__name__", ""))
    if _method is not None and _method is _value:
        globals()[_name] = functions.of_method(_method)
for _value in (
    arange, bernoulli, cat, dstack, einsum, empty, eye, full, hstack, linspace, logspace, multinomial, normal, ones,
    rand, randint, randn, randperm, stack, tensordot, vstack, zeros,
):  # fmt: skip
    globals()[_value.__name__] = functions.takes_out(_value)
concat = concatenate = cat
row_stack, newaxis = vstack, None


def where(condition, input=None, other=None):
    """`input` where the condition holds, else `other`; with the condition alone, the positions where it holds."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return ops.where(must_be_condition(condition), input, other)


def split(tensor, split_size_or_sections, dim=0):  # noqa: F811  PyTorch calls it so
    """Pieces of one size (the last may be smaller), or of the sizes in a list: `Tensor.split` under PyTorch's names."""
    return tensor.split(split_size_or_sections, dim)


def numel(input):
    """The number of elements."""
    return must_be_tensor("numel", "input", input).numel()


def is_tensor(x):
    """True for a Tensor."""
    return isinstance(x, Tensor)


def is_floating_point(input):
    """True for a tensor of floating dtype."""
    return input.is_floating_point()


def is_complex(input):
    """True for a tensor of complex dtype."""
    return input.is_complex()


def is_signed(input):
    """True for a tensor of a dtype with negative numbers."""
    return input.is_signed()


def is_nonzero(input):
    """Whether the one entry of a tensor is not zero."""
    return input.is_nonzero()


def is_same_size(input, other):
    """True for two tensors of one shape."""
    return input.is_same_size(other)


def is_conj(input):
    """False: minigrad's conj() computes at once."""
    return False


def is_inference(input):
    """False: tensors made under inference_mode() are as all others."""
    return False


def real(input):
    """The real part, on the same memory."""
    return input.real


def imag(input):
    """The imaginary part, on the same memory."""
    return input.imag


def result_type(a, b):
    """The dtype that a + b would have."""
    return _dtype.result_dtype([x.array if isinstance(x, Tensor) else x for x in (a, b)])


def broadcast_tensors(*tensors):
    """The tensors expanded to their common shape."""
    shape = broadcast_shapes(*[x.shape for x in tensors])
    return tuple(x.expand(shape) for x in tensors)


def broadcast_shapes(*shapes):
    """The shape that shapes (an integer is one of one axis) broadcast to; RuntimeError where they do not."""
    shapes = tuple(s if isinstance(s, (tuple, list)) else (s,) for s in shapes)
    return Size(indices.broadcast_shape(*[tuple(s) for s in shapes]))


# PyTorch's modules for what one machine has not, or has in one form: loaded when first asked for.
_ONE_MACHINE = (
    "accelerator", "amp", "backends", "cuda", "distributed", "jit", "mps", "multiprocessing", "onnx", "profiler",
)  # fmt: skip


_MODULES = (
    "data",
    "distributions",
    "func",
    "graphs",
    "io",
    "lora",
    "metrics",
    "nn",
    "optim",
    "pruning",
    "quantization",
    "special",
    "text",
    "train",
    "utils",
    "viz",
)  # `import minigrad` should cost little

# Functions of networks that PyTorch has here too, with the same arguments.
_OF_FUNCTIONAL = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "bilinear", "celu", "channel_shuffle", "conv1d",
    "conv2d", "conv_transpose1d", "conv_transpose2d", "cosine_similarity", "dropout", "group_norm", "layer_norm",
    "max_pool1d", "max_pool2d", "pairwise_distance", "pixel_shuffle", "pixel_unshuffle", "prelu", "rms_norm", "selu",
    "threshold",
)  # fmt: skip


def __getattr__(name):
    """The modules above; AttributeError that says where the names are listed for what minigrad does not have."""
    import importlib

    from minigrad.alias import missing

    if name == "pipeline":
        return importlib.import_module("minigrad.pipelines").pipeline
    if name == "vmap":
        return importlib.import_module("minigrad.func").vmap
    if name in _MODULES:
        return importlib.import_module(f"minigrad.{name}")
    if name in _OF_FUNCTIONAL:
        return getattr(importlib.import_module("minigrad.nn.functional"), name)
    if name in _ONE_MACHINE:
        return importlib.import_module(f"minigrad.onemachine.{name}")
    raise AttributeError(missing(f"minigrad.{name}"))


def __dir__():
    return sorted({*globals(), *_MODULES, *_ONE_MACHINE, *_OF_FUNCTIONAL, "pipeline", "vmap"})
