"""Generation with GPT-2's sizes: one token at a time, the keys and values of those before it kept in a cache."""

import torch

from workloads import arrays
from workloads.common import fill, rounded
from workloads.gpt import GPT


def build(size, compiled):
    """The step makes one token; when the cache is full it starts again behind the prompt. Its "loss" is the likeliest
    token's logit: a number that differs as soon as anything does.
    """
    longest, heads, channels = size["cache"], size["heads"], size["channels"]
    model = rounded(fill(GPT(size["vocabulary"], longest, size["layers"], heads, channels)), size["bits"])
    shape = (1, heads, longest, channels // heads)
    caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(size["layers"])]
    prompt = torch.from_numpy(arrays.text(1, size["prompt"], size["vocabulary"])[0])
    next_logits = compiled(model)

    with torch.no_grad():
        first = model(prompt, caches)[0, -1].argmax().view(1, 1)
    position, token = prompt.shape[1], first

    @torch.no_grad()
    def step():
        nonlocal position, token
        if position == longest:
            position, token = prompt.shape[1], first
        best, index = next_logits(token, caches, position)[0, -1].max(dim=0)
        position, token = position + 1, index.view(1, 1)
        return best.item()

    return step
