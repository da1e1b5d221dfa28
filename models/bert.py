"""BERT: a Transformer encoder that sees the words on both sides, trained to guess the masked ones, then given a task.

- post-norm blocks: norm(x + attention(x)), then norm(x + mlp(x)); exact GELU; learned positions
- a token stands for word, place, and which of two sentences it is in; the first one, [CLS], for the whole
- pre-training: 15 % of the words are hidden and guessed, and whether the second sentence followed the first
- heads on top: a class for the sequence, a class for each token, or where the answer begins and ends

Devlin et al., 2018, arXiv:1810.04805. Tensor names are Hugging Face's. Letters in shape comments: B batch, T time,
C channels, H heads, K = C / H, V vocabulary, N classes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .past import positions_of
from .pretrained import Pretrained
from .transformer import sinusoids

ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}
IGNORED = -100  # a label that is not asked for
POOLER = ("pooler.", "bert.pooler.")  # what guesses words alone is saved without it


@dataclass
class BertConfig:
    """BERT-base, uncased, by default: 109,482,240 parameters. Names are those of Hugging Face's config.json."""

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    num_labels: int = 2

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads}): each head takes a slice"
            )
        if self.hidden_act not in ACTIVATIONS:
            raise ValueError(f"hidden_act must be one of {', '.join(ACTIVATIONS)}, got {self.hidden_act!r}")


class Embeddings(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        C = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, C)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, C)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, C)
        self.LayerNorm = nn.LayerNorm(C, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, tokens: mg.Tensor, mask: mg.Tensor | None, segments: mg.Tensor | None) -> mg.Tensor:
        T, longest = tokens.size(1), self.position_embeddings.num_embeddings
        if longest < T:
            raise ValueError(f"a sequence of {T} tokens is longer than max_position_embeddings {longest}: truncate it")
        positions = mg.arange(T, device=tokens.device) if mask is None else positions_of(mask)
        segments = mg.zeros_like(tokens) if segments is None else segments
        x = self.word_embeddings(tokens) + self.position_embeddings(positions) + self.token_type_embeddings(segments)
        return self.dropout(self.LayerNorm(x))  # (B, T, C)


class SelfAttention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        C = config.hidden_size
        self.query, self.key, self.value = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)
        self.heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None) -> mg.Tensor:
        B, T, C = x.shape
        q, k, v = (  # (B, T, C) -> 3 x (B, H, T, K)
            layer(x).view(B, T, self.heads, C // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v, visible, dropout_p=self.dropout if self.training else 0.0)
        return y.transpose(1, 2).reshape(B, T, C)  # the heads side by side


class AddAndNorm(nn.Module):
    """norm(residual + dropout(dense(x)))."""

    def __init__(self, inputs: int, config: BertConfig):
        super().__init__()
        self.dense = nn.Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: mg.Tensor, residual: mg.Tensor) -> mg.Tensor:
        return self.LayerNorm(residual + self.dropout(self.dense(x)))


class Attention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.self = SelfAttention(config)
        self.output = AddAndNorm(config.hidden_size, config)

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None) -> mg.Tensor:
        return self.output(self.self(x, visible), x)


class Dense(nn.Module):
    """activation(dense(x)): the names of the files want a layer of its own around the Linear."""

    def __init__(self, inputs: int, outputs: int, activation: Any):
        super().__init__()
        self.dense, self.activation = nn.Linear(inputs, outputs), activation

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.activation(self.dense(x))


class Layer(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Dense(config.hidden_size, config.intermediate_size, ACTIVATIONS[config.hidden_act])
        self.output = AddAndNorm(config.intermediate_size, config)

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None) -> mg.Tensor:
        x = self.attention(x, visible)
        return self.output(self.intermediate(x), x)


class Encoder(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.layer = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None) -> mg.Tensor:
        for layer in self.layer:
            x = layer(x, visible)
        return x


class BertBase(Pretrained):
    """What the classes below share: the config, fresh weights, files.

    `heads` are the beginnings of the names that a task adds. A file that has none of a head's tensors (another task's,
    or the bare encoder's) leaves it as it was made, and `fresh` lists them; one that has some must have all.
    """

    model_type = "bert"
    heads: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: BertConfig):
        super().__init__()
        self.config = config
        self.fresh: list[str] = []

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=self.config.initializer_range)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        labels = {"num_labels": len(config["id2label"])} if "id2label" in config else {}
        known = {field.name for field in fields(BertConfig)}
        return cls(BertConfig(**{k: v for k, v in {**labels, **config}.items() if k in known}))

    def to_config(self) -> dict[str, Any]:
        return asdict(self.config)

    def load_state(self, state: Mapping[str, mg.Tensor]) -> None:
        from minigrad import io

        # TensorFlow's names for a norm's scale and shift stand in the oldest files.
        state = {n.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): t
                 for n, t in state.items()}  # fmt: skip
        own = set(self.state_dict())
        lacking = tuple(part for part in (*self.heads, *POOLER) if not any(name.startswith(part) for name in state))

        def is_another_s(name: str) -> bool:  # of a head that this model does not have
            homes = (name, f"bert.{name}", name.removeprefix("bert."))
            of_a_head = name.startswith(("cls.", "classifier.", "qa_outputs.", *POOLER))
            return name.endswith("position_ids") or (of_a_head and own.isdisjoint(homes))

        loaded = io.load_into(
            self, state, prefix="bert.", ignore=is_another_s, fresh=lambda name: name.startswith(lacking)
        )
        self.fresh = loaded.missing_keys


class Bert(BertBase):
    """(B, T, C) of each token, and (B, C) of the whole: `hidden, pooled = Bert(config)(tokens, mask, segments)`.

    tokens    (B, T); `mask` (B, T) is 0 at padding, on either side; `segments` (B, T) is 0 in the first sentence, 1 in
              the second; None: no padding, one sentence
    pooled    tanh(W h + b) of the first token that is no padding, [CLS]
    """

    published = "BertModel"

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Dense(config.hidden_size, config.hidden_size, mg.tanh)
        self.apply(self._init_weights)

    def forward(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, segments: mg.Tensor | None = None
    ) -> tuple[mg.Tensor, mg.Tensor]:
        visible = None if mask is None else mask.bool().unsqueeze(1).unsqueeze(1)  # (B, 1, 1, T): all queries alike
        x = self.encoder(self.embeddings(tokens, mask, segments), visible)
        return x, self.pooler(x[:, 0] if mask is None else _first(x, mask))


def _first(x: mg.Tensor, mask: mg.Tensor) -> mg.Tensor:
    """(B, C) of (B, T, C) at the first token of each row that is no padding."""
    return x[mg.arange(len(x), device=x.device), mask.long().argmax(dim=1)]


@mg.no_grad()
def start_small(bert: Bert, words: float, places: float, matching: bool = False) -> None:
    """Other first weights than BERT's, for a small model that has little text to learn from.

    From vectors that are all noise of size 0.02 such a model takes very many steps to find out which words are
    neighbours, and which two are the same; until then it guesses by frequency.

    words     standard deviation of the word vectors
    places    the places' vectors begin as sines and cosines of this amplitude, and are trained as ever
    matching  the first layer's keys begin equal to its queries, so that a word looks at its copies, and at itself
    """
    embeddings = bert.embeddings
    nn.init.normal_(embeddings.word_embeddings.weight, std=words)
    table = embeddings.position_embeddings.weight
    table.copy_(places * sinusoids(*table.shape, table))
    if matching:
        attention = bert.encoder.layer[0].attention.self
        attention.key.weight.copy_(attention.query.weight)


class Transform(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.LayerNorm(self.activation(self.dense(x)))


class Predictions(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.transform = Transform(config)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
        self.bias = self.decoder.bias  # the files have it under both names

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.decoder(self.transform(x))  # (..., C) -> (..., V)


class PreTrainingHeads(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.predictions = Predictions(config)
        self.seq_relationship = nn.Linear(config.hidden_size, 2)


class BertForPreTraining(BertBase):
    """Guess the hidden words, and whether the second sentence followed the first.

    `(words, follows), loss = model(tokens, mask, segments, labels, next_label)`: words are (B, T, V), follows (B, 2),
    class 0 where it did. `labels` (B, T) hold the hidden words, -100 elsewhere; then the words are (n, V), those of the
    n that are asked for, since the product with the vocabulary is most of the work. The loss is the sum of both means;
    without `next_label` it is that of the words alone.
    """

    heads = ("cls.",)

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config)
        self.cls = PreTrainingHeads(config)
        self.apply(self._init_weights)
        self.cls.predictions.decoder.weight = self.bert.embeddings.word_embeddings.weight  # tied

    def forward(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, segments: mg.Tensor | None = None,
        labels: mg.Tensor | None = None, next_label: mg.Tensor | None = None,
    ) -> tuple[tuple[mg.Tensor, mg.Tensor], mg.Tensor | None]:  # fmt: skip
        x, pooled = self.bert(tokens, mask, segments)
        follows = self.cls.seq_relationship(pooled)  # (B, 2)
        if labels is None:
            return (self.cls.predictions(x), follows), None
        labels = labels if mask is None else labels.masked_fill(~mask.bool(), IGNORED)
        asked = labels.flatten() != IGNORED
        words = self.cls.predictions(x.flatten(0, 1)[asked])  # (n, V)
        loss = F.cross_entropy(words, labels.flatten()[asked])
        if next_label is not None:
            loss = loss + F.cross_entropy(follows, next_label)
        return (words, follows), loss

    def to_state(self) -> dict[str, mg.Tensor]:
        state = self.state_dict()
        return {name: t for name, t in state.items() if not name.startswith("cls.predictions.decoder.")}  # tied twice


class BertForSequenceClassification(BertBase):
    """`logits, loss = model(tokens, mask, segments, labels)`: (B, N) logits, labels (B,).

    With one label (N = 1) the labels are numbers, and the loss is their squared error. `weight` (N,) weighs classes.
    """

    heads, task = ("classifier.",), "classify"

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.apply(self._init_weights)

    @mg.no_grad()
    def probabilities(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, segments: mg.Tensor | None = None
    ) -> mg.Tensor:
        """(B, N) of each class."""
        return F.softmax(self(tokens, mask, segments)[0], dim=1)

    def forward(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, segments: mg.Tensor | None = None,
        labels: mg.Tensor | None = None, weight: mg.Tensor | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        _, pooled = self.bert(tokens, mask, segments)
        logits = self.classifier(self.dropout(pooled))
        if labels is None:
            return logits, None
        if self.config.num_labels == 1:
            return logits, F.mse_loss(logits.squeeze(-1), labels.to(logits.dtype))
        return logits, F.cross_entropy(logits, labels, weight)


class BertForTokenClassification(BertBase):
    """`logits, loss = model(tokens, mask, segments, labels)`: (B, T, N) logits, labels (B, T), -100 where not asked."""

    heads, task = ("classifier.",), "tag"

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.apply(self._init_weights)

    def forward(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, segments: mg.Tensor | None = None,
        labels: mg.Tensor | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        x, _ = self.bert(tokens, mask, segments)
        logits = self.classifier(self.dropout(x))
        if labels is None:
            return logits, None
        labels = labels if mask is None else labels.masked_fill(~mask.bool(), IGNORED)
        return logits, F.cross_entropy(logits.flatten(0, 1), labels.flatten())


class BertForQuestionAnswering(BertBase):
    """Where in the text the answer begins and ends: `logits, loss = model(tokens, mask, segments, start, end)`.

    logits (B, T, 2) are those of begin and end, -inf at padding; start and end (B,) are places in the sequence. The
    loss is the mean of both cross-entropies.
    """

    heads, task = ("qa_outputs.",), "answer"

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.apply(self._init_weights)

    def forward(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, segments: mg.Tensor | None = None,
        start: mg.Tensor | None = None, end: mg.Tensor | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        x, _ = self.bert(tokens, mask, segments)
        logits = self.qa_outputs(x)  # (B, T, 2)
        if mask is not None:
            logits = logits.masked_fill(~mask.bool().unsqueeze(-1), -float("inf"))
        if start is None or end is None:
            return logits, None
        loss = F.cross_entropy(logits[:, :, 0], start) + F.cross_entropy(logits[:, :, 1], end)
        return logits, loss / 2


def best_span(logits: mg.Tensor, allowed: mg.Tensor, longest: int = 30) -> list[tuple[int, int, float]]:
    """(start, end, probability) for each row of (B, T, 2) logits: the likeliest pair, start <= end < start + longest,
    of which both are allowed (B, T): in the text, not in the question.
    """
    T = logits.size(1)
    logs = F.log_softmax(logits.masked_fill(~allowed.bool().unsqueeze(-1), -float("inf")), dim=1)
    pairs = logs[:, :, 0].unsqueeze(2) + logs[:, :, 1].unsqueeze(1)  # (B, T, T): begins here, ends there
    distance = mg.arange(T, device=logits.device) - mg.arange(T, device=logits.device).unsqueeze(1)
    pairs = pairs.masked_fill((distance < 0) | (distance >= longest), -float("inf"))
    best, place = pairs.flatten(1).max(dim=1)
    return [(i // T, i % T, p) for i, p in zip(place.tolist(), best.exp().tolist(), strict=True)]
