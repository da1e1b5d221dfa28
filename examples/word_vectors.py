"""Learn a vector for each word of WikiText-2: words that stand in like places get like vectors (skip-gram).

    python examples/word_vectors.py                       about a minute
    python examples/word_vectors.py --near river king     words near these, at the end
    python examples/word_vectors.py --data FILE.txt       words of a text of yours

For each word w and each word c at most --window places away, sigmoid(u_c . v_w) should be 1, and for --negatives words
drawn at random 0 (Mikolov et al., 2013): loss = - log sigmoid(u_c . v_w) - sum_n log sigmoid(- u_n . v_w). Words are
drawn by their counts to the power 3/4, and frequent words are skipped now and then: they say little. The run ends with
how often, in held-out text, a word that stands nearby scores above one that was drawn; guessing gives 50 %.
`vectors.mg` in --out holds {"words", "vectors"}, for `nn.Embedding.from_pretrained`. Ctrl-C stops after the current
step and saves.
"""

import argparse
import os
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import numpy as np
import training

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import data, nn

SKIP_ABOVE = 1e-3  # share of a text above which a word is skipped now and then
SHOWN = ("river", "king", "three", "german", "album", "played")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", metavar="FILE", help="a text, in place of WikiText-2 (4 MB, fetched once)")
    p.add_argument("--steps", type=int, default=6000, help="optimizer steps (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=1024, help="pairs of words a step (default: %(default)s)")
    p.add_argument("--channels", type=int, default=100, help="length of a vector (default: %(default)s)")
    p.add_argument("--window", type=int, default=5, help="places to either side (default: %(default)s)")
    p.add_argument("--negatives", type=int, default=5, help="words drawn for each pair (default: %(default)s)")
    p.add_argument("--min-count", type=int, default=10, help="rarer words are left out (default: %(default)s)")
    p.add_argument("--lr", type=float, default=5e-3, help="peak learning rate of Adam (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=1000, help="steps between validations (default: %(default)s)")
    p.add_argument("--near", nargs="+", metavar="WORD", help="show words near these (default: six of our choice)")
    training.add_common_flags(p, out="runs/words")
    args = p.parse_args()
    training.check_positive(
        p, args, "steps", "batch_size", "channels", "window", "negatives", "min_count", "eval_every"
    )
    return args


class SkipGram(nn.Module):
    """v for words, u for their neighbours: (V, C) each."""

    def __init__(self, words: int, channels: int):
        super().__init__()
        self.v, self.u = nn.Embedding(words, channels), nn.Embedding(words, channels)
        nn.init.normal_(self.v.weight, std=channels**-0.5)
        nn.init.zeros_(self.u.weight)

    def forward(self, word: mg.Tensor, others: mg.Tensor) -> mg.Tensor:
        """(B, K) scores u . v of words (B,) with K others each (B, K)."""
        return (self.u(others) @ self.v(word).unsqueeze(-1)).squeeze(-1)


class Text:
    """A text as numbers of words; -1 where a word is not in the vocabulary."""

    def __init__(self, words: list[str], number: dict[str, int], share: np.ndarray, window: int, negatives: int):
        self.ids = np.array([number.get(word, -1) for word in words])
        self.share, self.window, self.negatives = share, window, negatives
        drawn = share**0.75
        self.upto = np.cumsum(drawn / drawn.sum())
        self.keep = np.minimum(1, np.sqrt(SKIP_ABOVE / share))  # the chance that a word is not skipped

    def pairs(self, count: int, rng: np.random.Generator) -> tuple[mg.Tensor, mg.Tensor]:
        """(words (B,), the neighbour of each and then the drawn ones (B, 1 + K))."""
        words, near = np.empty(0, int), np.empty(0, int)
        while len(words) < count:
            at = rng.integers(self.window, len(self.ids) - self.window, size=4 * count)
            # Nearer words more often: first how far to look, then where.
            far = rng.integers(1, rng.integers(1, self.window + 1, size=len(at)) + 1) * rng.choice((-1, 1), len(at))
            a, b = self.ids[at], self.ids[at + far]
            good = (a >= 0) & (b >= 0) & (rng.random(len(at)) < self.keep[a]) & (rng.random(len(at)) < self.keep[b])
            words, near = np.append(words, a[good]), np.append(near, b[good])
        drawn = np.searchsorted(self.upto, rng.random((count, self.negatives))).clip(max=len(self.upto) - 1)
        return mg.tensor(words[:count]), mg.tensor(np.concatenate([near[:count, None], drawn], axis=1))


def loss_of(scores: mg.Tensor) -> mg.Tensor:
    return -(F.logsigmoid(scores[:, 0]) + F.logsigmoid(-scores[:, 1:]).sum(1)).mean()


@mg.no_grad()
def evaluate(model: SkipGram, text: Text, seed: int) -> tuple[float, float]:
    """(loss, how often a neighbour scores above a drawn word) over 20,000 pairs, always the same."""
    word, others = text.pairs(20_000, np.random.default_rng(seed))
    scores = model(word.to(model.v.weight.device), others.to(model.v.weight.device))
    above = (scores[:, [0]] > scores[:, 1:]).float() + 0.5 * (scores[:, [0]] == scores[:, 1:]).float()
    return loss_of(scores).item(), above.mean().item()


def nearest(embedding: nn.Embedding, words: list[str], word: str, count: int = 6) -> list[tuple[str, float]]:
    """The words whose vectors have the largest cosine with a word's, with the cosine."""
    unit = F.normalize(embedding.weight.detach(), dim=1)
    values, places = (unit @ unit[words.index(word)]).topk(min(count + 1, len(words)))
    return [(words[i], v) for i, v in zip(places.tolist(), values.tolist(), strict=True) if words[i] != word][:count]


def read_words(path: str | None) -> tuple[list[str], list[str]]:
    if path is None:
        return tuple([w.lower() for w in data.WikiText2(split).words()] for split in ("train", "valid"))
    words = data.read_text(path).lower().split()
    cut = int(0.9 * len(words))
    return words[:cut], words[cut:]


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    train, held = training.or_exit(lambda: read_words(args.data), "--data")
    counts = Counter(train)
    words = [w for w, n in counts.most_common() if n >= args.min_count and w not in ("<unk>", "<eos>")]
    if len(words) < 2 or len(held) <= 2 * args.window + 1:
        sys.exit(f"--data: {len(words)} words occur {args.min_count} times, and {len(held)} are held out: too few")
    for word in args.near or ():
        if word not in words:
            sys.exit(f"--near: {word} does not occur {args.min_count} times in the text")
    number, share = {w: i for i, w in enumerate(words)}, np.array([counts[w] for w in words]) / len(train)
    parts = [Text(part, number, share, args.window, args.negatives) for part in (train, held)]
    print(f"{len(train):,} words to learn from, {len(held):,} held out; vectors for {len(words):,} different ones")

    model = SkipGram(len(words), args.channels).to(device)
    optimizer = mg.optim.Adam(model.parameters(), lr=args.lr)
    run = training.Run(args, args.steps, model, optimizer, free=("near",))
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        word, others = parts[0].pairs(args.batch_size, np.random.default_rng((args.seed, step)))
        loss = loss_of(model(word.to(device), others.to(device)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.record(step, loss.item(), lr=rate)
        if run.due(step, args.eval_every):
            value, above = evaluate(model, parts[1], args.seed)
            run.validated(step, value, neighbour_above_drawn=above)

    _, above = evaluate(model, parts[1], args.seed)
    path = os.path.join(args.out, "vectors.mg")
    mg.save({"words": words, "vectors": model.v.weight.detach().cpu()}, path)
    training.plot_losses(
        os.path.join(args.out, "loss.png"),
        "Skip-gram with negative sampling",
        "nats a pair",
        run.losses,
        run.validations,
    )
    saved = mg.load(path)
    embedding = nn.Embedding.from_pretrained(saved["vectors"])
    for word in args.near or [w for w in SHOWN if w in number]:
        print(f"{word}: " + ", ".join(f"{w} {c:.2f}" for w, c in nearest(embedding, saved["words"], word)))
    print(f"in held-out text a neighbour scores above a drawn word {above:.1%} of the time; guessing, 50.0%")
    print(f"saved in {args.out}: vectors.mg, loss.png, checkpoint.mg")


if __name__ == "__main__":
    main()
