"""The fused kernels, called where `supports` said yes: forward with what the backward wants besides, and backward."""

from collections.abc import Sequence
from typing import Any

from minigrad.kernels.cpu.loading import compiled


def linear_activation_fwd(x: Any, weight: Any, bias: Any, activation: str) -> tuple[Any, Any]:
    """(y, z): z = x W^T + b for a matrix x, y its relu, gelu or silu, applied as z is made; no z for relu."""
    kernels = compiled()
    if x.shape[1] and (bias is None or bias.shape == weight.shape[:1]):
        return kernels.gemm.gemm_activated(x, weight.T, bias, kernels.activations.KINDS[activation])
    z = x @ weight.T if bias is None else x @ weight.T + bias
    return getattr(kernels.activations, activation)(z), None if activation == "relu" else z


def linear_activation_bwd(dy: Any, saved: Any, activation: str) -> tuple[Any, Any]:
    """(dz, its sum over the rows), from y for relu, from z for gelu and silu."""
    return compiled().activations.backward_and_sum(compiled().activations.KINDS[activation], dy, saved)


def layer_norm_fwd(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(y, mean, rstd): y = (x - mean) rstd weight + bias over the last axis; mean and rstd have shape x.shape[:-1].

    rstd = 1 / sqrt(mean (x - mean)^2 + eps); weight and bias of shape (C,) or None. Ba, Kiros & Hinton 2016.
    """
    return compiled().rows.layer_norm_fwd(x, weight, bias, eps)


def layer_norm_bwd(dy: Any, x: Any, weight: Any, mean: Any, rstd: Any, needs: Sequence[bool]) -> tuple[Any, Any, Any]:
    """(dx, dweight, dbias), with xhat = (x - mean) rstd and g = dy weight.

    dx = rstd (g - mean g - xhat mean(g xhat)), dweight = sum over rows of dy xhat, dbias = sum over rows of dy.
    """
    return compiled().rows.layer_norm_bwd(dy, x, weight, mean, rstd, needs)


def add_layer_norm_fwd(x: Any, residual: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any, Any]:
    """(y, s, mean, rstd): layer_norm_fwd of s = x + residual, and s."""
    return compiled().residual.add_layer_norm_fwd(x, residual, weight, bias, eps)


def add_rms_norm_fwd(x: Any, residual: Any, weight: Any, eps: float) -> tuple[Any, Any, Any]:
    """(y, s, rstd): rms_norm_fwd of s = x + residual, and s."""
    return compiled().residual.add_rms_norm_fwd(x, residual, weight, eps)


def rms_norm_fwd(x: Any, weight: Any, eps: float) -> tuple[Any, Any]:
    """(y, rstd): y = x rstd weight, rstd = 1 / sqrt(mean x^2 + eps) over the last axis. Zhang & Sennrich 2019."""
    return compiled().rows.rms_norm_fwd(x, weight, eps)


def rms_norm_bwd(dy: Any, x: Any, weight: Any, rstd: Any, needs: Sequence[bool]) -> tuple[Any, Any]:
    """(dx, dweight): dx = rstd (g - xhat mean(g xhat)) with g = dy weight, xhat = x rstd; dweight = sum of dy xhat."""
    return compiled().rows.rms_norm_bwd(dy, x, weight, rstd, needs)


def cross_entropy_fwd(logits: Any, target: Any, ignore_index: int, label_smoothing: float) -> tuple[Any, Any]:
    """(loss, lse), a number each for a row of logits (N, C) with its label in target (N,).

    lse = log sum exp(x); loss = (1 - e) (lse - x[target]) + e (lse - mean x), e the label smoothing (Szegedy et al.
    2016); 0 in rows whose label is ignore_index. The other labels must be in [0, C): the caller has checked.
    """
    return compiled().rows.cross_entropy_fwd(logits, target, ignore_index, label_smoothing)


def cross_entropy_bwd(dloss: Any, logits: Any, target: Any, lse: Any, ignore_index: int, label_smoothing: float) -> Any:
    """dlogits = dloss (exp(x - lse) - e / C - (1 - e) [column = target]), 0 in ignored rows."""
    return compiled().rows.cross_entropy_bwd(dloss, logits, target, lse, ignore_index, label_smoothing)


def attention_fwd(q: Any, k: Any, v: Any, mask: Any, scale: float, causal: bool) -> tuple[Any, Any]:
    """(out, lse): out = softmax(scale q k^T) v for q (..., T, K), k (..., S, K), v (..., S, V); lse of shape (..., T).

    Causal: query i sees keys 0 .. i. `mask` broadcasts to (..., T, S): boolean, True where the query may see the key,
    or float32, added to the scores, or None; a query that sees no key gets zeros. For four axes out.swapaxes(1, 2) is
    contiguous. Rows of q, k, v and the mask are read in place.
    """
    return compiled().attention.attention_fwd(q, k, v, mask, scale, causal)


def attention_bwd(
    dout: Any, q: Any, k: Any, v: Any, out: Any, lse: Any, mask: Any, scale: float, causal: bool
) -> tuple[Any, Any, Any]:
    """(dq, dk, dv), from probabilities recomputed with lse. Where q, k and v have one shape (B, H, T, K), the three are
    views of one array (B, T, 3, H, K)."""
    return compiled().attention.attention_bwd(dout, q, k, v, out, lse, mask, scale, causal)


def rnn_fwd(gates: Any, h0: Any, weight: Any, sizes: tuple[int, ...], reverse: bool, nonlinearity: str) -> Any:
    """(y, residuals ...): a sequence through h' = tanh(x + h W^T) or relu of it; see ops/recurrent.py for the rows."""
    return compiled().recurrent.rnn_fwd(gates, h0, weight, sizes, reverse, nonlinearity)


def rnn_bwd(
    dy: Any, y: Any, weight: Any, before: Any, sizes: tuple[int, ...], reverse: bool, nonlinearity: str
) -> tuple[Any, Any, Any]:
    """(dgates, dh0, dweight)."""
    return compiled().recurrent.rnn_bwd(dy, y, weight, before, sizes, reverse, nonlinearity)


def lstm_fwd(gates: Any, h0: Any, c0: Any, weight: Any, sizes: tuple[int, ...], reverse: bool) -> Any:
    """(y, residuals ...): a sequence through LSTM cells."""
    return compiled().recurrent.lstm_fwd(gates, h0, c0, weight, sizes, reverse)


def lstm_bwd(
    dy: Any, weight: Any, act: Any, h_before: Any, c_before: Any, tanh_c: Any, sizes: tuple[int, ...], reverse: bool
) -> tuple[Any, Any, Any, Any]:
    """(dgates, dh0, dc0, dweight)."""
    return compiled().recurrent.lstm_bwd(dy, weight, act, h_before, c_before, tanh_c, sizes, reverse)


def gru_fwd(gates: Any, h0: Any, weight: Any, bias: Any, sizes: tuple[int, ...], reverse: bool) -> Any:
    """(y, residuals ...): a sequence through GRU cells."""
    return compiled().recurrent.gru_fwd(gates, h0, weight, bias, sizes, reverse)


def gru_bwd(
    dy: Any, weight: Any, act: Any, own_n: Any, before: Any, biased: bool, sizes: tuple[int, ...], reverse: bool
) -> tuple[Any, Any, Any, Any]:
    """(dgates, dh0, dweight, dbias)."""
    return compiled().recurrent.gru_bwd(dy, weight, act, own_n, before, biased, sizes, reverse)


def max_pool2d_fwd(x: Any, grid: Any) -> tuple[Any, Any]:
    """(y, taps): the largest entry of each window of x (..., H, W), and its place in the window, i kw + j."""
    return compiled().pool.max_pool2d_fwd(x, grid)


def max_pool2d_bwd(dy: Any, taps: Any, grid: Any) -> Any:
    """dx (..., H, W): each gradient at the entry that was chosen, what meets added up."""
    return compiled().pool.max_pool2d_bwd(dy, taps, grid)


def batch_norm_fwd(x: Any, weight: Any, bias: Any, mean: Any, variance: Any, eps: float) -> tuple[Any, Any]:
    """(y, rstd) for x (N, C, L): y = (x - mean) rstd weight + bias with rstd = 1 / sqrt(variance + eps), by channel."""
    return compiled().channels.batch_norm_fwd(x, weight, bias, mean, variance, eps)


def batch_norm_bwd(dy: Any, x: Any, weight: Any, mean: Any, rstd: Any, needs: Sequence[bool]) -> tuple[Any, Any, Any]:
    """(dx, dweight, dbias): layer norm's formulas, with the means over N and L in place of the last axis."""
    return compiled().channels.batch_norm_bwd(dy, x, weight, mean, rstd, needs)
