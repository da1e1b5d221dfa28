"""What the JAX programs share: parameters by PyTorch's names, layers, the optimizers, the compiled step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from workloads.arrays import weight

Params = dict[str, Any]


def linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a Linear layer's parameters."""
    return {f"{name}.weight.T": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a LayerNorm's parameters."""
    return {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}


def filled(shapes: dict[str, tuple[int, ...]]) -> Params:
    """The parameters of those names and shapes, with the values of arrays.py.

    One whose name ends in .T is kept transposed, as JAX's libraries keep the weights of layers: for a single row XLA
    would transpose it at every product, which makes a token of decode nine times as expensive.
    """
    return {
        name: jnp.asarray(weight(name.removesuffix(".T"), shape).T if name.endswith(".T") else weight(name, shape))
        for name, shape in shapes.items()
    }


def apply_linear(p: Params, name: str, x: Any) -> Any:
    return x @ p[f"{name}.weight.T"] + p[f"{name}.bias"]


def apply_norm(p: Params, name: str, x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def gelu(x: Any) -> Any:
    return jax.nn.gelu(x, approximate=False)


def attention(qkv: Any, heads: int, causal: bool) -> Any:
    """(B, T, 3 C) -> (B, T, C)."""
    B, T, C3 = qkv.shape
    q, k, v = (t.reshape(B, T, heads, C3 // 3 // heads) for t in jnp.split(qkv, 3, axis=-1))
    scores = jnp.einsum("bthk,bshk->bhts", q, k) / jnp.sqrt(jnp.float32(q.shape[-1]))
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones((T, T), bool)), scores, -jnp.inf)
    return jnp.einsum("bhts,bshk->bthk", jax.nn.softmax(scores), v).reshape(B, T, C3 // 3)


def cross_entropy(logits: Any, targets: Any) -> Any:
    """The mean over all positions; logits (..., V), targets (...)."""
    chosen = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
    return (jax.nn.logsumexp(logits, -1) - chosen).mean()


def training_step(
    loss_of: Callable[..., Any], params: Params, batch: tuple, update: Callable, max_norm: float | None = None
) -> Callable[[], float]:
    """One compiled step: loss, gradients, clipping, `update(params, grads, m, v, t)`."""

    @partial(jax.jit, donate_argnums=(0, 1, 2, 3))
    def train(params, m, v, t, *batch):
        loss, grads = jax.value_and_grad(loss_of)(params, *batch)
        if max_norm is not None:
            length = jnp.sqrt(sum(jnp.square(g).sum() for g in grads.values()))
            scale = jnp.minimum(1.0, max_norm / (length + 1e-6))
            grads = {name: g * scale for name, g in grads.items()}
        return *update(params, grads, m, v, t + 1), t + 1, loss

    m, v = ({name: jnp.zeros_like(p) for name, p in params.items()} for _ in range(2))
    state = (params, m, v, jnp.float32(0))
    batch = tuple(jnp.asarray(array) for array in batch)

    def step() -> float:
        nonlocal state
        *state, loss = train(*state, *batch)
        jax.block_until_ready(state)
        return float(loss)

    return step


def sgd(lr: float) -> Callable:
    def update(params, grads, m, v, t):
        return {name: p - lr * grads[name] for name, p in params.items()}, m, v

    return update


def adam(lr: float, betas=(0.9, 0.999), decay: Callable[[Any], float] = lambda p: 0.0, eps: float = 1e-8) -> Callable:
    """Adam, or AdamW with the weight decay that `decay` gives for a parameter."""
    b1, b2 = betas

    def update(params, grads, m, v, t):
        m = {name: b1 * m[name] + (1 - b1) * g for name, g in grads.items()}
        v = {name: b2 * v[name] + (1 - b2) * g * g for name, g in grads.items()}

        def new(name, p):
            towards = (m[name] / (1 - b1**t)) / (jnp.sqrt(v[name] / (1 - b2**t)) + eps)
            return p * (1 - lr * decay(p)) - lr * towards

        return {name: new(name, p) for name, p in params.items()}, m, v

    return update
