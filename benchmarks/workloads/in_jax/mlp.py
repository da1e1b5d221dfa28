"""workloads/mlp.py in JAX."""

import jax

from workloads import arrays
from workloads.in_jax.common import adam, apply_linear, cross_entropy, filled, linear, training_step


def build(size):
    params = filled({**linear("0", size["pixels"], size["hidden"]), **linear("2", size["hidden"], size["classes"])})

    def loss_of(p, images, labels):
        return cross_entropy(apply_linear(p, "2", jax.nn.relu(apply_linear(p, "0", images))), labels)

    batch = arrays.images((size["batch"], size["pixels"]), size["classes"])
    return training_step(loss_of, params, batch, adam(1e-3))
