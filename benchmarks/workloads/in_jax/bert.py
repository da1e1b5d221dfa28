"""workloads/bert.py in JAX; the parameters have the names of PyTorch's TransformerEncoderLayer."""

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


def build(size):
    channels, layers, heads = size["channels"], size["layers"], size["heads"]
    shapes = {
        "tokens.weight": (size["vocabulary"], channels),
        "positions.weight": (size["length"], channels),
        **norm("norm", channels),
        **linear("classifier", channels, 2),
    }
    for i in range(layers):
        layer = f"encoder.layers.{i}"
        shapes |= {
            f"{layer}.self_attn.in_proj_weight.T": (3 * channels, channels),
            f"{layer}.self_attn.in_proj_bias": (3 * channels,),
            **linear(f"{layer}.self_attn.out_proj", channels, channels),
            **linear(f"{layer}.linear1", channels, 4 * channels),
            **linear(f"{layer}.linear2", 4 * channels, channels),
            **norm(f"{layer}.norm1", channels),
            **norm(f"{layer}.norm2", channels),
        }

    def loss_of(p, tokens, labels):
        x = apply_norm(p, "norm", p["tokens.weight"][tokens] + p["positions.weight"])
        for i in range(layers):
            layer = f"encoder.layers.{i}"
            qkv = x @ p[f"{layer}.self_attn.in_proj_weight.T"] + p[f"{layer}.self_attn.in_proj_bias"]
            attended = apply_linear(p, f"{layer}.self_attn.out_proj", attention(qkv, heads, causal=False))
            x = apply_norm(p, f"{layer}.norm1", x + attended)
            hidden = gelu(apply_linear(p, f"{layer}.linear1", x))
            x = apply_norm(p, f"{layer}.norm2", x + apply_linear(p, f"{layer}.linear2", hidden))
        return cross_entropy(apply_linear(p, "classifier", x[:, 0]), labels)

    batch = arrays.sentences(size["batch"], size["length"], size["vocabulary"])
    return training_step(loss_of, filled(shapes), batch, adam(1e-4, decay=lambda p: 0.01))
