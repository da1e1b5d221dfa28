"""workloads/cnn.py in JAX."""

import jax
import jax.numpy as jnp
from jax import lax

from workloads import arrays
from workloads.in_jax.common import adam, apply_linear, cross_entropy, filled, linear, training_step


def convolved(p, name, x):
    y = lax.conv_general_dilated(x, p[f"{name}.weight"], (1, 1), "SAME")  # (B, C, H, W), weights (O, C, 3, 3)
    return y + p[f"{name}.bias"][:, None, None]


def pooled(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def build(size):
    side, channels, classes = size["side"], size["channels"], size["classes"]
    params = filled(
        {
            "0.weight": (channels, 1, 3, 3),
            "0.bias": (channels,),
            "3.weight": (2 * channels, channels, 3, 3),
            "3.bias": (2 * channels,),
            **linear("7", 2 * channels * (side // 4) ** 2, classes),
        }
    )

    def loss_of(p, images, labels):
        x = pooled(jax.nn.relu(convolved(p, "0", images)))
        x = pooled(jax.nn.relu(convolved(p, "3", x)))
        return cross_entropy(apply_linear(p, "7", x.reshape(x.shape[0], -1)), labels)

    batch = arrays.images((size["batch"], 1, side, side), classes)
    return training_step(loss_of, params, batch, adam(1e-3))
