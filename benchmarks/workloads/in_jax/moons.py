"""workloads/moons.py in JAX."""

import jax
import jax.numpy as jnp

from workloads import arrays
from workloads.in_jax.common import apply_linear, filled, linear, sgd, training_step


def build(size):
    hidden = size["hidden"]
    params = filled({**linear("0", 2, hidden), **linear("2", hidden, hidden), **linear("4", hidden, 1)})

    def loss_of(p, points, labels):
        x = jax.nn.relu(apply_linear(p, "0", points))
        x = jax.nn.relu(apply_linear(p, "2", x))
        hinge = jax.nn.relu(1 - labels * apply_linear(p, "4", x)).mean()
        return hinge + 1e-4 * sum(jnp.square(value).sum() for value in p.values())

    return training_step(loss_of, params, arrays.moons(size["batch"]), sgd(0.05))
