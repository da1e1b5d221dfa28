"""How a language model writes: one loop for all decoders, token by token.

A model takes part by having

    context                      the longest sequence it can see, or None for any
    new_past(batch, size, mask)  a fresh cache of the tokens before, with `length` and `choose(rows)`
    next_logits(tokens, past, mask)   (B, V) logits of what follows the last token of (B, T)

`past` is None where nothing is kept; then all tokens are given each time. `mask` (B, T) is 0 at padding, None without.
Letters in shape comments: B batch, T time, V vocabulary, K beams.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import minigrad as mg
from minigrad.nn import functional as F

SMALLEST, LARGEST = 1e-20, 1e20  # a logit divided or multiplied by what lies between is a float32 still


@dataclass(frozen=True)
class Sampling:
    """How the next token is taken from the logits.

    temperature          divides the logits: below 1 sharper, above 1 flatter, 0 takes the likeliest token (greedy)
    top_k                draw among the k likeliest only
    top_p                draw among the likeliest tokens that together hold probability p (Holtzman et al., 2020)
    repetition_penalty   above 1 makes tokens that occurred less likely: a logit of theirs is divided by it where
                         positive, multiplied where negative (Keskar et al., 2019)
    suppress_tokens      tokens that are never taken, such as the one for unknown words
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    suppress_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= LARGEST:
            raise ValueError(
                f"temperature must be 0 (greedy) or a positive number up to {LARGEST:g}, got {self.temperature}"
            )
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}; leave it out to draw among all tokens")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")
        if not SMALLEST <= self.repetition_penalty <= LARGEST:
            raise ValueError(
                f"repetition_penalty must be a number above 0 (1 changes nothing), got {self.repetition_penalty}"
            )

    def __call__(self, logits: mg.Tensor, seen: mg.Tensor, generator: mg.Generator | None = None) -> mg.Tensor:
        """(B,) tokens from (B, V) logits; `seen` is (B, V), True for tokens that occurred."""
        if self.repetition_penalty != 1:
            logits = mg.where(seen, penalized(logits, self.repetition_penalty), logits)
        logits = suppressed(logits, self.suppress_tokens)
        if self.temperature < SMALLEST:
            return logits.argmax(dim=-1)
        probabilities = F.softmax(filtered(logits / self.temperature, self.top_k, self.top_p), dim=-1)
        return mg.multinomial(probabilities, num_samples=1, generator=generator).squeeze(1)


def penalized(logits: mg.Tensor, penalty: float) -> mg.Tensor:
    return mg.where(logits > 0, logits / penalty, logits * penalty)


def suppressed(logits: mg.Tensor, tokens: Iterable[int]) -> mg.Tensor:
    """(B, V) logits with those of some tokens at -inf. IndexError for a token outside the vocabulary."""
    places = [int(token) for token in tokens]
    if not places:
        return logits
    if not (min(places) >= 0 and max(places) < logits.size(1)):
        raise IndexError(f"suppress_tokens must be in the vocabulary of {logits.size(1)}, got {places}")
    return logits.index_fill(1, mg.tensor(places, device=logits.device), -math.inf)


def filtered(logits: mg.Tensor, top_k: int | None, top_p: float | None) -> mg.Tensor:
    """(B, V) logits with those outside top_k and top_p at -inf."""
    if top_k is not None:
        best, _ = logits.topk(min(top_k, logits.size(-1)))
        logits = logits.masked_fill(logits < best[:, [-1]], -math.inf)
    if top_p is not None:
        ordered, order = logits.sort(descending=True)
        p = F.softmax(ordered, dim=-1)
        beyond = p.cumsum(dim=-1) - p >= top_p  # the mass before a token reaches p already; the first always stays
        logits = logits.masked_fill(mg.zeros_like(beyond).scatter(1, order, beyond), -math.inf)
    return logits


class Writing:
    """The tokens so far and the logits of the next ones, with or without what is kept of the past."""

    def __init__(self, model: Any, tokens: mg.Tensor, mask: mg.Tensor | None, total: int, cached: bool, slide: bool):
        longest = model.context
        if longest is not None and total > longest and not slide:
            raise ValueError(
                f"the prompt of {tokens.size(1)} tokens and {total - tokens.size(1)} new ones are longer than the "
                f"model's context of {longest}: shorten the prompt, ask for fewer tokens, or give slide=True to let "
                "the model see only the latest ones"
            )
        self.model, self.tokens, self.mask = model, tokens, mask
        fits = longest is None or tokens.size(1) <= longest
        size = total if longest is None else min(total, longest)
        self.past = model.new_past(len(tokens), size, mask) if cached and fits else None

    def logits(self) -> mg.Tensor:
        longest, T = self.model.context, self.tokens.size(1)
        if self.past is not None and longest is not None and self.past.length == longest:
            self.past = None  # the window moves on from here, and with it the position of every token in it
        if self.past is not None:
            first = self.past.length == 0
            return self.model.next_logits(self.tokens[:, self.past.length :], self.past, self.mask if first else None)
        start = 0 if longest is None else max(T - longest, 0)
        return self.model.next_logits(self.tokens[:, start:], None, None if self.mask is None else self.mask[:, start:])

    def add(self, token: mg.Tensor) -> None:
        """Write one more token (B,) in each row."""
        self.tokens = mg.cat((self.tokens, token.unsqueeze(1)), dim=1)
        if self.mask is not None:
            self.mask = mg.cat((self.mask, mg.ones_like(self.mask[:, :1])), dim=1)

    def choose(self, rows: mg.Tensor) -> None:
        self.tokens = self.tokens[rows]
        self.mask = None if self.mask is None else self.mask[rows]
        if self.past is not None:
            self.past.choose(rows)


def stream(
    model: Any, tokens: mg.Tensor, max_new_tokens: int | None = None, *, max_length: int | None = None,
    mask: mg.Tensor | None = None, sampling: Sampling | None = None, stop_tokens: Iterable[int] = (),
    pad_token: int | None = None, use_cache: bool = True, slide: bool = False, generator: mg.Generator | None = None,
) -> Iterator[mg.Tensor]:  # fmt: skip
    """Yield the new tokens one at a time, (B,) each, as `generate` would append them. The arguments are its own."""
    tokens, mask, count = _checked(model, tokens, mask, max_new_tokens, max_length)
    stops = [int(token) for token in stop_tokens]
    filler = pad_token if pad_token is not None else stops[0] if stops else 0
    sampling = sampling or Sampling()
    was_training = model.training
    model.eval()
    try:
        with mg.no_grad():
            writing = Writing(model, tokens, mask, tokens.size(1) + count, use_cache, slide)
            done = mg.zeros(tokens.size(0), dtype=mg.bool, device=tokens.device)
            seen = None
            for _ in range(count):
                logits = writing.logits()  # (B, V)
                if seen is None:
                    seen = _occurring(tokens, mask, logits) if sampling.repetition_penalty != 1 else logits
                token = sampling(logits, seen, generator).masked_fill(done, filler)
                yield token
                for stop in stops:
                    done = done | (token == stop)
                if stops and bool(done.all()):
                    break
                writing.add(token)
                if sampling.repetition_penalty != 1:
                    seen = seen.scatter(1, token.unsqueeze(1), True)
    finally:
        model.train(was_training)


def generate(
    model: Any, tokens: mg.Tensor, max_new_tokens: int | None = None, *, max_length: int | None = None,
    mask: mg.Tensor | None = None, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
    repetition_penalty: float = 1.0, num_beams: int = 1, length_penalty: float = 1.0, stop_tokens: Iterable[int] = (),
    suppress_tokens: Iterable[int] = (), pad_token: int | None = None, use_cache: bool = True, slide: bool = False,
    generator: mg.Generator | None = None,
) -> mg.Tensor:  # fmt: skip
    """Extend (B, T) tokens, each new one drawn from the model's distribution; (B, up to T + max_new_tokens).

    max_new_tokens   how many to write at most; `max_length` counts the prompt too. One of them is needed
    mask             (B, T), 0 where a row is padded on the left, 1 elsewhere
    temperature, top_k, top_p, repetition_penalty   as `Sampling` has them; temperature=0 is greedy
    num_beams        above 1: beam search, no drawing; among the K likeliest beginnings it looks for the continuation
                     with the largest log-probability / length^length_penalty
    stop_tokens      a row ends after one of them; the rest of it is `pad_token` (default: the first stop token)
    suppress_tokens  are never written
    use_cache        keep keys and values of the tokens before; without, the same tokens come out, slower
    slide            let the context move on where the text grows longer than it, instead of raising

    Raises ValueError for an empty prompt, settings out of range, and what does not fit the model's context; IndexError
    for tokens outside the vocabulary.
    """
    sampling = Sampling(temperature, top_k, top_p, repetition_penalty, tuple(suppress_tokens))
    if num_beams < 1:
        raise ValueError(f"num_beams must be at least 1, got {num_beams}")
    if num_beams > 1:
        return beam_search(
            model, tokens, max_new_tokens, max_length=max_length, mask=mask, num_beams=num_beams,
            length_penalty=length_penalty, repetition_penalty=repetition_penalty, stop_tokens=stop_tokens,
            suppress_tokens=sampling.suppress_tokens, pad_token=pad_token, use_cache=use_cache, slide=slide,
        )  # fmt: skip
    new = stream(
        model, tokens, max_new_tokens, max_length=max_length, mask=mask, sampling=sampling, stop_tokens=stop_tokens,
        pad_token=pad_token, use_cache=use_cache, slide=slide, generator=generator,
    )  # fmt: skip
    return mg.cat([tokens, *(token.unsqueeze(1) for token in new)], dim=1)


@mg.no_grad()
def beam_search(
    model: Any, tokens: mg.Tensor, max_new_tokens: int | None = None, *, max_length: int | None = None,
    mask: mg.Tensor | None = None, num_beams: int = 4, length_penalty: float = 1.0, repetition_penalty: float = 1.0,
    stop_tokens: Iterable[int] = (), suppress_tokens: Iterable[int] = (), pad_token: int | None = None,
    use_cache: bool = True, slide: bool = False,
) -> mg.Tensor:  # fmt: skip
    """The likeliest continuation that beam search finds for each row; see `generate`.

    Each step extends the K beams of a row by every token and keeps the K best that did not stop. One that stops is
    kept aside with its score, log-probability / new tokens^length_penalty. A row is decided when K have stopped and no
    running beam, were it to stop now, would beat the worst of them. The log-probability of a token that occurred
    already is multiplied by the repetition penalty, as Hugging Face's library has it.
    """
    tokens, mask, count = _checked(model, tokens, mask, max_new_tokens, max_length)
    stops = [int(token) for token in stop_tokens]
    B, T = tokens.shape
    K, device = num_beams, tokens.device
    was_training = model.training
    model.eval()
    try:
        copies = mg.arange(B, device=device).repeat_interleave(K)  # (B K,): K beams of each row, next to each other
        writing = Writing(model, tokens, mask, T + count, use_cache, slide)
        scores = mg.full((B, K), -math.inf, device=device)
        scores[:, 0] = 0.0  # the beams of a row begin equal: only one may be extended at first
        ended: list[list[tuple[float, list[int]]]] = [[] for _ in range(B)]
        decided = [False] * B
        for step in range(1, count + 1):
            logits = writing.logits()  # (B, V) of the prompt, then (B K, V)
            if step == 1:
                logits = logits[copies]
                writing.choose(copies)
            gains = F.log_softmax(logits, dim=-1)  # (B K, V)
            if repetition_penalty != 1:
                seen = _occurring(writing.tokens, writing.mask, logits)
                gains = mg.where(seen, penalized(gains, repetition_penalty), gains)
            V, total = logits.size(1), scores.view(B * K, 1) + suppressed(gains, suppress_tokens)
            best, places = total.view(B, K * V).topk(min((1 + len(stops)) * K, K * V))  # room for all that stop
            rows, chosen, kept = [], [], []
            for b in range(B):
                running: list[tuple[int, int, float]] = []
                for score, place in zip(best[b].tolist(), places[b].tolist(), strict=True):
                    beam, token = b * K + place // V, place % V
                    if score == -math.inf:
                        continue
                    if token in stops:
                        words = [*writing.tokens[beam, T:].tolist(), token]
                        ended[b].append((score / step**length_penalty, words))
                    elif len(running) < K:
                        running.append((beam, token, score))
                ended[b] = sorted(ended[b], reverse=True)[:K]
                if running and len(ended[b]) == K:
                    decided[b] = decided[b] or running[0][2] / step**length_penalty <= ended[b][-1][0]
                decided[b] = decided[b] or not running
                running += [(b * K, 0, -math.inf)] * (K - len(running))
                rows += [beam for beam, _, _ in running]
                chosen += [token for _, token, _ in running]
                kept.append([score for _, _, score in running])
            scores = mg.tensor(kept, device=device)
            writing.choose(mg.tensor(rows, device=device))
            writing.add(mg.tensor(chosen, device=device))
            if all(decided):
                break
        return _best_of(tokens, writing, scores, ended, decided, length_penalty, pad_token, stops)
    finally:
        model.train(was_training)


def _best_of(
    tokens: mg.Tensor, writing: Writing, scores: mg.Tensor, ended: list[list[tuple[float, list[int]]]],
    decided: list[bool], length_penalty: float, pad_token: int | None, stops: list[int],
) -> mg.Tensor:  # fmt: skip
    """The prompt and, for each row, the best of what ended and what was still running, padded to one length."""
    B, T = tokens.shape
    K = scores.size(1)
    found = []
    for b in range(B):
        candidates = list(ended[b])
        if not decided[b]:
            for k, score in enumerate(scores[b].tolist()):
                words = writing.tokens[b * K + k, T:].tolist()
                candidates.append((score / max(len(words), 1) ** length_penalty, words))
        found.append(max(candidates)[1] if candidates else [])
    filler = pad_token if pad_token is not None else stops[0] if stops else 0
    longest = max(len(words) for words in found)
    padded = [words + [filler] * (longest - len(words)) for words in found]
    new = mg.tensor(padded, dtype=tokens.dtype, device=tokens.device).view(B, longest)
    return mg.cat((tokens, new), dim=1)


def _checked(
    model: Any, tokens: mg.Tensor, mask: mg.Tensor | None, max_new_tokens: int | None, max_length: int | None
) -> tuple[mg.Tensor, mg.Tensor | None, int]:
    """(tokens, mask or None where nothing is padded, how many to write); ValueError for what cannot be continued."""
    if tokens.dim() != 2 or tokens.size(1) == 0:
        raise ValueError(f"generate needs tokens of shape (B, T) with T >= 1, got {tuple(tokens.shape)}")
    if (max_new_tokens is None) == (max_length is None):
        given = "neither" if max_length is None else "both"
        raise ValueError(f"give max_new_tokens (without the prompt) or max_length (with it), got {given}")
    count = max_new_tokens if max_new_tokens is not None else (max_length or 0) - tokens.size(1)
    if count < 0:
        if max_new_tokens is not None:
            raise ValueError(f"max_new_tokens must be 0 or more, got {max_new_tokens}")
        raise ValueError(f"max_length ({max_length}) counts the prompt, which has {tokens.size(1)} tokens already")
    vocabulary = getattr(getattr(model, "config", None), "vocab_size", None)
    if vocabulary is not None and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
        raise IndexError(
            f"the prompt has tokens from {int(tokens.min())} to {int(tokens.max())}, the model's vocabulary has those "
            f"from 0 to {vocabulary - 1}: does the tokenizer belong to the model?"
        )
    if mask is None:
        return tokens, None, count
    if mask.shape != tokens.shape:
        raise ValueError(f"mask must have the shape of the tokens, {tuple(tokens.shape)}, got {tuple(mask.shape)}")
    if not mask[:, -1].bool().all():
        raise ValueError("generate needs padding on the left: a row's mask ends in 0, so nothing could follow its text")
    return tokens, None if mask.bool().all() else mask, count


def _occurring(tokens: mg.Tensor, mask: mg.Tensor | None, logits: mg.Tensor) -> mg.Tensor:
    """(B, V), True for the tokens that occur in each row, padding aside."""
    real = mg.ones_like(tokens).bool() if mask is None else mask.bool()
    counts = mg.zeros(logits.shape, dtype=mg.int64, device=logits.device).scatter_add(1, tokens, real.long())
    return counts > 0
