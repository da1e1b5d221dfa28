"""Convolution in two dimensions, and the columns it is computed with.

A convolution y = x * w is linear in x and in w, so it has two adjoints: from dy and w to the input (`conv_transpose2d`:
the transposed convolution is just that) and from x and dy to the weight (`conv2d_weight`). Each of the three has the
other two for its gradients, which closes the set: second derivatives need no further rule.

    conv2d(x, w)             dx = conv_transpose2d(dy, w)    dw = conv2d_weight(x, dy)
    conv_transpose2d(g, w)   dg = conv2d(dy, w)              dw = conv2d_weight(dy, g)
    conv2d_weight(x, g)      dx = conv_transpose2d(g, dy)    dg = conv2d(x, dy)

`padding` is ((top, bottom), (left, right)); kernel, stride, dilation and sizes are (height, width). Convolutions in one
dimension are those of height 1.
"""

from minigrad.backend import kernels_of
from minigrad.op import op
from minigrad.ops import reduce


@op
def conv2d(x, weight, bias, *, stride, padding, dilation, groups):
    """y[n, o, i, j] = b[o] + sum over c, p, q of w[o, c, p, q] x[n, c, i s + p d - top, j s + q d - left], 0 outside x.

    x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,) or None -> (N, O, H', W') with
    H' = floor((H + top + bottom - d (kh - 1) - 1) / s) + 1. Output channel o sees the C / groups inputs of its group.
    """
    return kernels_of(x).conv2d(x, weight, bias, stride, padding, dilation, groups)


@conv2d.vjp
def conv2d_vjp(dy, x, weight, stride, padding, dilation, groups, needs):
    place = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return (
        conv_transpose2d(dy, weight, None, size=x.shape[2:], **place) if needs[0] else None,
        conv2d_weight(x, dy, kernel=weight.shape[2:], **place) if needs[1] else None,
        _by_bias(dy) if needs[2] else None,
    )


@op
def conv_transpose2d(x, weight, bias, *, size, stride, padding, dilation, groups):
    """The adjoint of conv2d in its input, plus a bias: x (N, O, H', W'), weight (O, C / groups, kh, kw) -> (N, C,
    *size).

    Each entry of x puts a copy of the kernel, times itself, into the result, `stride` apart. `size` is one that a
    conv2d of these parameters takes to (H', W').
    """
    return kernels_of(x).conv2d_input(x, weight, bias, size, stride, padding, dilation, groups)


@conv_transpose2d.vjp
def conv_transpose2d_vjp(dy, x, weight, stride, padding, dilation, groups, needs):
    place = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    dx = None
    if needs[0]:
        dx = conv2d(dy, weight, None, **place)
        if dx.shape != x.shape:  # an output padding of a whole stride leaves room for more places than x has
            dx = dx[:, :, : x.shape[2], : x.shape[3]]
    return (
        dx,
        conv2d_weight(dy, x, kernel=weight.shape[2:], **place) if needs[1] else None,
        _by_bias(dy) if needs[2] else None,
    )


@op
def conv2d_weight(x, gradient, *, kernel, stride, padding, dilation, groups):
    """The adjoint of conv2d in its weight: x (N, C, H, W), gradient (N, O, H', W') -> (O, C / groups, kh, kw)."""
    return kernels_of(x).conv2d_weight(x, gradient, kernel, stride, padding, dilation, groups)


@conv2d_weight.vjp
def conv2d_weight_vjp(dy, x, gradient, stride, padding, dilation, groups, needs):
    place = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    by_gradient = None
    if needs[1]:
        by_gradient = conv2d(x, dy, None, **place)
        if by_gradient.shape != gradient.shape:
            by_gradient = by_gradient[:, :, : gradient.shape[2], : gradient.shape[3]]
    return conv_transpose2d(gradient, dy, None, size=x.shape[2:], **place) if needs[0] else None, by_gradient


def _by_bias(dy):
    return reduce.sum(dy, axis=(0, 2, 3), keepdims=False)


@op
def im2col(x, *, kernel, stride, padding, dilation):
    """(N, C, H, W) -> (N, C kh kw, places): column by column what a kernel sees at each place, zeros beyond the
    border.
    """
    return kernels_of(x).im2col(x, kernel, stride, padding, dilation)


@im2col.vjp
def im2col_vjp(dy, x_shape, kernel, stride, padding, dilation):
    return col2im(dy, size=x_shape[2:], kernel=kernel, stride=stride, padding=padding, dilation=dilation)


@op
def col2im(x, *, size, kernel, stride, padding, dilation):
    """(N, C kh kw, places) -> (N, C, *size): the adjoint of `im2col`; what several places saw adds up."""
    return kernels_of(x).col2im(x, size, kernel, stride, padding, dilation)


@col2im.vjp
def col2im_vjp(dy, kernel, stride, padding, dilation):
    return im2col(dy, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
