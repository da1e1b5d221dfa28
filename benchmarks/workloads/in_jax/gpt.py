"""workloads/gpt.py in JAX."""

from workloads import arrays
from workloads.in_jax.common import (
    adam,
    apply_linear,
    apply_norm,
    attention,
    cross_entropy,
    filled,
    gelu,
    linear,
    norm,
    training_step,
)


def shapes(vocabulary, block, layers, channels):
    found = {"wte.weight": (vocabulary, channels), "wpe.weight": (block, channels), **norm("ln_f", channels)}
    for i in range(layers):
        found |= norm(f"blocks.{i}.ln_1", channels) | norm(f"blocks.{i}.ln_2", channels)
        found |= linear(f"blocks.{i}.attn.c_attn", channels, 3 * channels)
        found |= linear(f"blocks.{i}.attn.c_proj", channels, channels)
        found |= linear(f"blocks.{i}.mlp.0", channels, 4 * channels)
        found |= linear(f"blocks.{i}.mlp.2", 4 * channels, channels)
    return found


def feed_forward(p, name, x):
    return apply_linear(p, f"{name}.mlp.2", gelu(apply_linear(p, f"{name}.mlp.0", apply_norm(p, f"{name}.ln_2", x))))


def build(size):
    layers, heads = size["layers"], size["heads"]
    params = filled(shapes(size["vocabulary"], size["block"], layers, size["channels"]))

    def loss_of(p, tokens, targets):
        x = p["wte.weight"][tokens] + p["wpe.weight"]  # (B, T, C)
        for i in range(layers):
            qkv = apply_linear(p, f"blocks.{i}.attn.c_attn", apply_norm(p, f"blocks.{i}.ln_1", x))
            x = x + apply_linear(p, f"blocks.{i}.attn.c_proj", attention(qkv, heads, causal=True))
            x = x + feed_forward(p, f"blocks.{i}", x)
        return cross_entropy(apply_norm(p, "ln_f", x) @ p["wte.weight"].T, targets)

    update = adam(1e-3, betas=(0.9, 0.99), decay=lambda p: 0.1 if p.ndim >= 2 else 0.0)
    batch = arrays.text(size["batch"], size["block"], size["vocabulary"])
    return training_step(loss_of, params, batch, update, max_norm=1.0)
