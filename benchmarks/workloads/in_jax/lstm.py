"""workloads/lstm.py in JAX: the time steps are a scan."""

import jax
import jax.numpy as jnp
from jax import lax

from workloads import arrays
from workloads.in_jax.common import adam, apply_linear, cross_entropy, filled, linear, training_step


def build(size):
    channels, hidden, vocabulary = size["channels"], size["hidden"], size["vocabulary"]
    params = filled(
        {
            "embedding.weight": (vocabulary, channels),
            "lstm.weight_ih_l0.T": (4 * hidden, channels),
            "lstm.weight_hh_l0.T": (4 * hidden, hidden),
            "lstm.bias_ih_l0": (4 * hidden,),
            "lstm.bias_hh_l0": (4 * hidden,),
            **linear("head", hidden, vocabulary),
        }
    )

    def loss_of(p, tokens, targets):
        x = p["embedding.weight"][tokens.T]  # (B, T) -> (T, B, C)
        gates = x @ p["lstm.weight_ih_l0.T"] + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]
        recurrent = p["lstm.weight_hh_l0.T"]

        def cell(state, from_input):
            h, c = state
            i, f, g, o = jnp.split(from_input + h @ recurrent, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((tokens.shape[0], hidden))
        _, states = lax.scan(cell, (zero, zero), gates)  # (T, B, hidden)
        return cross_entropy(apply_linear(p, "head", states), targets.T)

    return training_step(loss_of, params, arrays.text(size["batch"], size["length"], vocabulary), adam(1e-3))
