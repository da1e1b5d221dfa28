"""GPT-2's architecture: a decoder-only Transformer that predicts the next token.

- pre-norm blocks: x + attention(norm(x)), then x + mlp(norm(x)), and one norm at the end
- causal self-attention with one packed projection for q, k and v; learned positions; exact GELU
- the token embedding is also the output layer (weight tying)

Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; Press and Wolf, "Using the Output Embedding
to Improve Language Models", 2017. Letters in shape comments: B batch, T time, C channels, H heads, K = C / H, V
vocabulary.
"""

import math
from dataclasses import dataclass

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


@dataclass
class GPTConfig:
    """GPT-2 124M by default."""

    vocab_size: int = 50257
    block_size: int = 1024  # the longest sequence: how many positions are learned
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True  # in Linear and LayerNorm, as GPT-2 has it

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head}): each head takes a slice"
            )


class CausalSelfAttention(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head, self.dropout = config.n_head, config.dropout

    def forward(self, x: mg.Tensor, past: "Past | None" = None) -> mg.Tensor:
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=2)  # (B, T, 3 C) -> 3 x (B, T, C)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))  # (B, H, T, K)
        dropout = self.dropout if self.training else 0.0
        if past is None or past.length == 0:
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)  # (B, H, T, K)
            if past is not None:
                past.add(self, k, v)
        else:
            k, v = past.add(self, k, v)  # (B, H, length + T, K)
            y = F.scaled_dot_product_attention(q, k, v, past.visible(T))
        y = y.transpose(1, 2).reshape(B, T, C)  # the heads side by side
        return self.resid_dropout(self.c_proj(y))


class MLP(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU()
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))  # (B, T, C) -> (B, T, 4 C) -> (B, T, C)


class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: mg.Tensor, past: "Past | None" = None) -> mg.Tensor:
        x = x + self.attn(self.ln_1(x), past)
        return x + self.mlp(self.ln_2(x))


class Past:
    """The keys and values of the tokens before, so that each token is computed once: room for `size` of them in each
    attention layer, allocated when the first come and written in place. Under no_grad.
    """

    def __init__(self, size: int):
        self.size, self.length = size, 0  # how many tokens there is room for, and how many there are
        self.kept: dict[int, tuple[mg.Tensor, mg.Tensor]] = {}  # by layer

    def add(self, layer: nn.Module, k: mg.Tensor, v: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        """Keep k and v (B, H, T, K) of the newest tokens; those of all tokens, (B, H, length + T, K)."""
        B, H, T, K = k.shape
        if id(layer) not in self.kept:
            self.kept[id(layer)] = k.new_zeros(B, H, self.size, K), v.new_zeros(B, H, self.size, K)
        keys, values = self.kept[id(layer)]
        stop = self.length + T
        keys[:, :, self.length : stop], values[:, :, self.length : stop] = k, v
        return keys[:, :, :stop], values[:, :, :stop]

    def visible(self, T: int) -> mg.Tensor | None:
        """(T, length + T), True where a new token sees another: all before it, and itself. None: one token sees all."""
        if T == 1:
            return None
        return mg.arange(self.length + T) <= self.length + mg.arange(T).unsqueeze(1)


class GPT(nn.Module):
    """`logits, loss = GPT(config)(tokens, targets)`; the loss is None without targets."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "drop": nn.Dropout(config.dropout),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight  # tied: one matrix reads tokens in and out
        self.apply(self._init_weights)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):  # each block adds twice to the residual stream: keep its variance
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer))

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(
        self, tokens: mg.Tensor, targets: mg.Tensor | None = None, past: Past | None = None
    ) -> tuple[mg.Tensor, mg.Tensor | None]:
        """(logits, loss) of tokens (B, T) that follow those of `past`, if there is one."""
        start = 0 if past is None else past.length
        stop = start + tokens.shape[1]
        if self.config.block_size < stop:
            raise ValueError(f"a sequence of {stop} tokens is longer than block_size {self.config.block_size}: crop it")
        positions = mg.arange(start, stop, device=tokens.device)
        x = self.transformer.wte(tokens) + self.transformer.wpe(positions)  # (B, T, C) + (T, C)
        x = self.transformer.drop(x)
        for block in self.transformer.h:
            x = block(x, past)
        if past is not None:
            past.length = stop
        x = self.transformer.ln_f(x)
        if targets is None:
            return self.lm_head(x[:, -1:]), None  # (B, 1, V): what follows the last token is all that is asked
        logits = self.lm_head(x)  # (B, T, C) -> (B, T, V)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))
        return logits, loss

    def parameter_groups(self, weight_decay: float) -> list[dict]:
        """Matrices decay; biases and norm weights (one axis) do not: pulling a scale to zero helps nobody."""
        parameters = list(self.parameters())
        return [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]

    @mg.no_grad()
    def generate(
        self,
        tokens: mg.Tensor,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: mg.Generator | None = None,
    ) -> mg.Tensor:
        """Extend (B, T) tokens by `max_new_tokens`, each drawn from the model's distribution.

        temperature  divides the logits: below 1 sharper, above 1 flatter, 0 always takes the likeliest token
        top_k        draw among the k likeliest only
        top_p        draw among the likeliest tokens that together hold probability p (Holtzman et al., 2020)
        """
        _check_sampling(temperature, top_k, top_p, tokens)
        was_training = self.training
        self.eval()
        longest = self.config.block_size
        past = Past(longest) if tokens.size(1) <= longest else None
        for _ in range(max_new_tokens):
            if past is not None and past.length == longest:
                past = None  # the window moves on from here, and with it the position of every token in it
            logits, _ = self(tokens[:, -longest:] if past is None else tokens[:, past.length :], past=past)
            logits = logits[:, -1]  # (B, V)
            if temperature == 0:
                token = logits.argmax(dim=-1, keepdim=True)
            else:
                probabilities = F.softmax(_filtered(logits / temperature, top_k, top_p), dim=-1)
                token = mg.multinomial(probabilities, num_samples=1, generator=generator)  # (B, 1)
            tokens = mg.cat((tokens, token), dim=1)
        self.train(was_training)
        return tokens


def _check_sampling(temperature: float, top_k: int | None, top_p: float | None, tokens: mg.Tensor) -> None:
    if temperature < 0:
        raise ValueError(f"temperature must be 0 or more, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    if tokens.dim() != 2 or tokens.size(1) == 0:
        raise ValueError(f"generate needs tokens of shape (B, T) with T >= 1, got {tuple(tokens.shape)}")


def _filtered(logits: mg.Tensor, top_k: int | None, top_p: float | None) -> mg.Tensor:
    """(B, V) logits with those outside top_k and top_p at -inf."""
    if top_k is not None:
        kth, _ = logits.topk(min(top_k, logits.size(-1)))
        logits = logits.masked_fill(logits < kth[:, [-1]], -math.inf)
    if top_p is not None:
        ordered, order = logits.sort(descending=True)
        p = F.softmax(ordered, dim=-1)
        beyond = p.cumsum(dim=-1) - p >= top_p  # the mass before a token reaches p already; the first always stays
        logits = logits.masked_fill(mg.zeros_like(beyond).scatter(1, order, beyond), -math.inf)
    return logits
