"""One row of a recurrent cell, forward and backward: the arithmetic that recurrent.py runs between two products.

Each function takes `count` hidden units of one row; arguments are the addresses of their first unit. `z` is the state's
share of the gates, `span` numbers from gate to gate; all other arrays lie `width` numbers from gate to gate. Bare
pointers, as an index into an array that the compiler cannot prove positive keeps the loop from becoming vector code.
"""

from minigrad.kernels.cpu.intrinsics import exp, f4, inline
from minigrad.kernels.cpu.tiles import floats_at

# tanh(x) / x - 1 as x^2 times a polynomial in x^2 for |x| < 0.625: a least-squares fit of our own, 5e-9 relative.
_T0, _T1, _T2 = f4(-0.33333282880457), f4(0.13331464531442), f4(-0.0537413978329)
_T3, _T4 = f4(0.02064412804919), f4(-0.00571021783409)
_NEAR, _ZERO, _ONE, _TWO = f4(0.625), f4(0.0), f4(1.0), f4(2.0)


@inline
def _sigmoid(x):
    return _ONE / (_ONE + exp(-x))


@inline
def _tanh(x):
    z = x * x
    near = x + x * z * (_T0 + z * (_T1 + z * (_T2 + z * (_T3 + z * _T4))))
    far = _ONE - _TWO / (_ONE + exp(_TWO * x))
    return near if abs(x) < _NEAR else far


@inline
def rnn_cell(count, rectify, z, x, out):
    """h' = tanh(x + z), or relu of it."""
    z, x, out = floats_at(z), floats_at(x), floats_at(out)
    if rectify:
        for j in range(count):
            total = z[j] + x[j]
            out[j] = _ZERO if total < _ZERO else total  # lets NaN through
    else:
        for j in range(count):
            out[j] = _tanh(z[j] + x[j])


@inline
def rnn_cell_back(count, rectify, d, out, dout, dstate):
    d, out, dout, dstate = floats_at(d), floats_at(out), floats_at(dout), floats_at(dstate)
    if rectify:
        for j in range(count):
            d[j] = (dout[j] + dstate[j]) * (_ONE if out[j] > _ZERO else _ZERO)
    else:
        for j in range(count):
            d[j] = (dout[j] + dstate[j]) * (_ONE - out[j] * out[j])


@inline
def lstm_cell(count, width, z, span, x, act, c_before, tanh_c, c, out):
    """c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c')."""
    z, x, act = floats_at(z), floats_at(x), floats_at(act)
    old, bent, cell, out = floats_at(c_before), floats_at(tanh_c), floats_at(c), floats_at(out)
    for j in range(count):
        i = _sigmoid(z[j] + x[j])
        f = _sigmoid(z[span + j] + x[width + j])
        g = _tanh(z[2 * span + j] + x[2 * width + j])
        o = _sigmoid(z[3 * span + j] + x[3 * width + j])
        before = cell[j]
        new = f * before + i * g
        t = _tanh(new)
        old[j] = before
        act[j] = i
        act[width + j] = f
        act[2 * width + j] = g
        act[3 * width + j] = o
        bent[j] = t
        cell[j] = new
        out[j] = o * t


@inline
def lstm_cell_back(count, width, d, act, c_before, tanh_c, dout, dstate, dc):
    d, act, old, bent = floats_at(d), floats_at(act), floats_at(c_before), floats_at(tanh_c)
    dout, dstate, dcell = floats_at(dout), floats_at(dstate), floats_at(dc)
    for j in range(count):
        i, f, g, o = act[j], act[width + j], act[2 * width + j], act[3 * width + j]
        t, flow = bent[j], dout[j] + dstate[j]
        into = dcell[j] + flow * o * (_ONE - t * t)
        d[j] = into * g * i * (_ONE - i)
        d[width + j] = into * old[j] * f * (_ONE - f)
        d[2 * width + j] = into * i * (_ONE - g * g)
        d[3 * width + j] = flow * t * o * (_ONE - o)
        dcell[j] = into * f


@inline
def gru_cell(count, width, z, span, x, bias, act, own_n, state, out):
    """h' = n + u (h - n) with r, u = sigmoid of their gates, n = tanh(x_n + r (z_n + b_n))."""
    z, x, act, bias = floats_at(z), floats_at(x), floats_at(act), floats_at(bias)
    kept, state, out = floats_at(own_n), floats_at(state), floats_at(out)
    for j in range(count):
        r = _sigmoid(z[j] + bias[j] + x[j])
        u = _sigmoid(z[span + j] + bias[width + j] + x[width + j])
        from_h = z[2 * span + j] + bias[2 * width + j]
        n = _tanh(x[2 * width + j] + r * from_h)
        act[j] = r
        act[width + j] = u
        act[2 * width + j] = n
        kept[j] = from_h
        out[j] = n + u * (state[j] - n)


@inline
def gru_cell_back(count, width, dx, dz, act, own_n, state, dout, dstate):
    """dx and dz: the gradients of the inputs' and of the state's share of the gates; dstate becomes flow u."""
    dx, dz, act = floats_at(dx), floats_at(dz), floats_at(act)
    kept, state, dout, dstate = floats_at(own_n), floats_at(state), floats_at(dout), floats_at(dstate)
    for j in range(count):
        r, u, n = act[j], act[width + j], act[2 * width + j]
        flow = dout[j] + dstate[j]
        into = flow * (_ONE - u) * (_ONE - n * n)
        by_r = into * kept[j] * r * (_ONE - r)
        by_u = flow * (state[j] - n) * u * (_ONE - u)
        dx[j] = by_r
        dz[j] = by_r
        dx[width + j] = by_u
        dz[width + j] = by_u
        dx[2 * width + j] = into
        dz[2 * width + j] = into * r
        dstate[j] = flow * u
