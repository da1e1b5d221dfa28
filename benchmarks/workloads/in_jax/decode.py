"""workloads/decode.py in JAX. The whole cache is read, under a mask, so that one program serves every position."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from workloads import arrays
from workloads.in_jax.common import apply_linear, apply_norm, filled
from workloads.in_jax.gpt import feed_forward, shapes


def build(size):
    longest, heads, channels, layers = size["cache"], size["heads"], size["channels"], size["layers"]
    params = filled(shapes(size["vocabulary"], longest, layers, channels))

    @partial(jax.jit, donate_argnums=(2,))
    def next_token(p, token, caches, position):
        x = p["wte.weight"][token] + p["wpe.weight"][position]  # (C,)
        seen = jnp.arange(longest) <= position
        after = []
        for i, (keys, values) in enumerate(caches):  # (longest, H, K) each
            qkv = apply_linear(p, f"blocks.{i}.attn.c_attn", apply_norm(p, f"blocks.{i}.ln_1", x))
            q, k, v = qkv.reshape(3, heads, channels // heads)
            keys = lax.dynamic_update_slice(keys, k[None], (position, 0, 0))
            values = lax.dynamic_update_slice(values, v[None], (position, 0, 0))
            scores = jnp.einsum("hk,shk->hs", q, keys) / jnp.sqrt(jnp.float32(channels // heads))
            y = jnp.einsum("hs,shk->hk", jax.nn.softmax(jnp.where(seen, scores, -jnp.inf)), values)
            x = x + apply_linear(p, f"blocks.{i}.attn.c_proj", y.reshape(channels))
            x = x + feed_forward(p, f"blocks.{i}", x)
            after.append((keys, values))
        logits = p["wte.weight"] @ apply_norm(p, "ln_f", x)
        return logits.argmax(), logits.max(), after

    shape = (longest, heads, channels // heads)
    caches = [(jnp.zeros(shape), jnp.zeros(shape)) for _ in range(layers)]
    prompt = arrays.text(1, size["prompt"], size["vocabulary"])[0][0]
    for position, given in enumerate(prompt):
        first, _, caches = next_token(params, jnp.int32(given), caches, jnp.int32(position))
    position, token = len(prompt), first

    def step() -> float:
        nonlocal position, token, caches
        if position == longest:
            position, token = len(prompt), first
        token, best, caches = next_token(params, token, caches, jnp.int32(position))
        position += 1
        return float(best)

    return step
