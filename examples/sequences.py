"""What the scripts share that turn one sequence into another: pairs from a file, batches of pairs of like length,
averaged weights, writing by beam search, and the picture of what the decoder looked at.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import training

import minigrad as mg
from minigrad import data
from minigrad.optim.swa_utils import AveragedModel
from models.transformer import AttentionMaps, Transformer, TransformerConfig

Pairs = list[tuple[str, str]]
SPECIAL = ["<pad>", "<s>", "</s>"]


def add_model_flags(p: argparse.ArgumentParser, **defaults: Any) -> None:
    """The flags of the model, its vocabulary, its training and its beam search."""
    said = {
        "vocabulary": "word pieces",
        "layers": "of the encoder and of the decoder",
        "channels": "width of the residual stream",
        "heads": "attention heads a layer",
        "hidden": "of the feed-forward part",
        "dropout": "of what each sublayer adds",
        "label_smoothing": "of the training labels",
        "warmup": "steps until the peak of the learning rate",
        "lr_factor": "times the paper's learning rate",
        "average": "last part of the run whose weights are averaged, 0 for none",
        "beams": "of the beam search; 1 is greedy",
        "length_penalty": "score / length^this",
    }
    given = {"label_smoothing": 0.1, "lr_factor": 1.0, "length_penalty": 1.0, **defaults}
    for name, meaning in said.items():
        flag, kind = "--" + name.replace("_", "-"), type(given[name])
        p.add_argument(flag, type=kind, default=given[name], help=f"{meaning} (default: %(default)s)")
    p.add_argument(
        "--norm-first", action=argparse.BooleanOptionalAction, default=given.get("norm_first", False),
        help="pre-norm instead of the paper's post-norm",
    )  # fmt: skip


def check_model_flags(p: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    training.check_positive(p, args, "vocabulary", "layers", "channels", "heads", "hidden", "warmup", "beams")
    for name in ("dropout", "label_smoothing", "average"):
        if not 0 <= getattr(args, name) < 1:
            p.error(f"--{name.replace('_', '-')} must be in [0, 1), got {getattr(args, name)}")


def model_of(args: argparse.Namespace, tokenizer: Any, device: mg.device) -> Transformer:
    """A fresh model of the sizes that the flags say, or the end of the program with a sentence."""

    def build() -> Transformer:
        config = TransformerConfig(
            vocab_size=len(tokenizer), encoder_layers=args.layers, decoder_layers=args.layers, heads=args.heads,
            channels=args.channels, hidden=args.hidden, dropout=args.dropout, norm_first=args.norm_first,
            label_smoothing=args.label_smoothing, pad_token=tokenizer.pad_token_id,
            begin_token=tokenizer.bos_token_id, end_token=tokenizer.eos_token_id,
        )  # fmt: skip
        return Transformer(config)

    model = training.or_exit(build, "sizes").to(device)
    print(f"a Transformer of {sum(p.numel() for p in model.parameters()):,} parameters on {device}")
    return model


def pairs_of_file(path: str, seed: int) -> tuple[Pairs, Pairs, Pairs]:
    """(training, validation, test): the lines "source<TAB>target" of a file; a twentieth, chosen at random, for
    validation, and as many for the test. Lines that occur twice count once, so that no pair is in two parts.
    """
    pairs: dict[tuple[str, str], None] = {}
    for number, line in enumerate(data.read_text(path).splitlines(), 1):
        source, tab, target = line.partition("\t")
        if line.strip() and not (tab and source.strip() and target.strip()):
            raise ValueError(f"{path}, line {number}: expected 'source<TAB>target', got {line[:60]!r}")
        if line.strip():
            pairs[source.strip(), target.strip()] = None
    if len(pairs) < 3:
        raise ValueError(f"{path} holds {len(pairs)} different pairs; at least one is needed to learn, validate, test")
    shuffled = [list(pairs)[i] for i in np.random.default_rng(seed).permutation(len(pairs))]
    held = max(len(pairs) // 20, 1)
    return shuffled[2 * held :], shuffled[:held], shuffled[held : 2 * held]


def vocabulary_of(texts: list[str], size: int) -> Any:
    """A tokenizer with one vocabulary of word pieces for both sides, learnt from the texts of both. A word has the same
    pieces wherever it stands: a first word could not be copied otherwise.
    """
    from minigrad.text import train_bpe

    return training.or_exit(
        lambda: train_bpe(texts, size, special_tokens=SPECIAL, add_prefix_space=True), "--vocabulary"
    )


def encoded(tokenizer: Any, pairs: Pairs) -> tuple[list[list[int]], list[list[int]]]:
    """(sources, targets), each a list of token lists."""
    return [ids_of(tokenizer, source) for source, _ in pairs], [ids_of(tokenizer, target) for _, target in pairs]


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text alone, without those that mark its beginning and end."""
    return tokenizer.encode(text, add_special_tokens=False)


def padded(rows: Sequence[Sequence[int]], pad: int, device: mg.device | None) -> tuple[mg.Tensor, mg.Tensor]:
    """(tokens, mask), both (B, longest row): `pad` and 0 behind the end of a row."""
    longest = max(map(len, rows))
    tokens = np.full((len(rows), longest), pad, np.int64)
    for filled, row in zip(tokens, rows, strict=True):
        filled[: len(row)] = row
    mask = np.arange(longest) < np.array([[len(row)] for row in rows])
    return mg.tensor(tokens, device=device), mg.tensor(mask, device=device)


def batch_of(sources: list[list[int]], targets: list[list[int]], model: Transformer) -> dict[str, mg.Tensor]:
    """Pairs of token lists as the keyword arguments of the model."""
    c, device = model.config, model.output.weight.device
    source, source_mask = padded([[*row, c.end_token] for row in sources], c.pad_token, device)
    tokens, mask = padded([[c.begin_token, *row] for row in targets], c.pad_token, device)
    answers, _ = padded([[*row, c.end_token] for row in targets], c.pad_token, device)
    return {"source": source, "tokens": tokens, "targets": answers, "source_mask": source_mask, "mask": mask}


class Batches:
    """Pairs of token sequences, in batches of like length, so that little of a batch is padding.

    A batch holds at most `size` tokens of source and target together, padding counted, and at least one pair. Which
    pairs are in the batch of a step depends on the step and the seed alone, so that a resumed run goes on with the
    batch that was next. Every epoch goes through all pairs: those of one length, and the batches, in another order.
    """

    def __init__(self, sources: list[list[int]], targets: list[list[int]], model: Transformer, size: int, seed: int):
        self.sources, self.targets, self.model, self.seed = sources, targets, model, seed
        # A source ends with the end token; a target begins with one mark, or ends with the other.
        self.lengths = np.array([(len(t) + 1, len(s) + 1) for s, t in zip(sources, targets, strict=True)])
        by_length = self.lengths[np.lexsort(self.lengths.T[::-1])]
        self.cuts, longest_source = [0], 0
        for end, (target, source) in enumerate(by_length.tolist()):
            longest_source = max(longest_source, source)
            if (end - self.cuts[-1] + 1) * (target + longest_source) > size and end > self.cuts[-1]:
                self.cuts.append(end)
                longest_source = source
        self.cuts.append(len(by_length))
        self.epoch = -1  # of the order that is at hand

    def __len__(self) -> int:
        """Batches an epoch; the lengths alone decide where one ends, so all epochs have as many."""
        return len(self.cuts) - 1

    def at(self, step: int) -> dict[str, mg.Tensor]:
        """The batch of a step, as `batch_of` makes it."""
        epoch, place = divmod(step, len(self))
        if epoch != self.epoch:
            rng = np.random.default_rng((self.seed, epoch))
            shuffled = rng.permutation(len(self.lengths))
            self.rows = shuffled[np.lexsort(self.lengths[shuffled].T[::-1])]  # by length; ties as they were shuffled
            self.epoch, self.places = epoch, rng.permutation(len(self))
        place = self.places[place]
        return self.of(self.rows[self.cuts[place] : self.cuts[place + 1]])

    def of(self, rows: Any) -> dict[str, mg.Tensor]:
        return batch_of([self.sources[i] for i in rows], [self.targets[i] for i in rows], self.model)

    def in_order(self) -> Iterator[dict[str, mg.Tensor]]:
        """All pairs once, shortest first."""
        order = np.lexsort(self.lengths.T[::-1])
        for start, stop in zip(self.cuts, self.cuts[1:], strict=False):
            yield self.of(order[start:stop])


@mg.no_grad()
def mean_loss(model: Transformer, batches: Batches) -> float:
    """The mean cross-entropy in nats a token, without label smoothing."""
    model.eval()
    total, count = 0.0, 0
    for batch in batches.in_order():
        tokens = int(batch["mask"].sum())
        _, loss = model(**batch)
        total, count = total + loss.item() * tokens, count + tokens
    model.train()
    return total / count


class Average:
    """The mean of a model's weights over the last part of its training, every tenth step: steadier than the last
    weights, as long as the learning rate is not small. Source: Izmailov et al., arXiv:1803.05407; the paper of the
    Transformer averages its last checkpoints.
    """

    def __init__(self, model: Transformer, share: float, steps: int):
        self.averaged, self.first, self.steps = AveragedModel(model), steps - int(share * steps), steps

    def resume(self, run: training.Run) -> None:
        """Go on with the average that the run has kept; from here on it is kept up to date."""
        if "average" in run.kept:
            self.averaged.load_state_dict(run.kept["average"])
        run.kept["average"] = self.averaged.state_dict()  # the tensors themselves, which are written in place

    def update(self, model: Transformer, step: int) -> None:
        if step >= self.first and ((step - self.first) % 10 == 0 or step + 1 == self.steps):
            self.averaged.update_parameters(model)

    def best(self, model: Transformer) -> Transformer:
        """The averaged model, or the model itself where nothing was averaged."""
        return (self.averaged.module if int(self.averaged.n_averaged) else model).eval()


def write(model: Transformer, tokenizer: Any, sources: list[list[int]], **how: Any) -> list[str]:
    """The model's text for each source, in their order. `how` as `models.generation.generate` has it."""
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    texts = [""] * len(sources)
    for start in range(0, len(order), 50):
        rows = order[start : start + 50]
        ends = [[*sources[i], model.config.end_token] for i in rows]
        source, mask = padded(ends, model.config.pad_token, model.output.weight.device)
        for i, tokens in zip(rows, model.generate(source, mask, **how).tolist(), strict=True):
            texts[i] = tokenizer.decode(tokens, skip_special_tokens=True).strip()
    return texts


@mg.no_grad()
def draw_attention(path: str, model: Transformer, tokenizer: Any, source: list[int], **how: Any) -> None:
    """Picture of where the last layers of the decoder looked in the source while they wrote each token."""
    matplotlib = training.need("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    device = model.output.weight.device
    tokens = mg.tensor([[*source, model.config.end_token]], device=device)
    written = model.generate(tokens, **how)
    maps = AttentionMaps()
    model(tokens, written[:, :-1], maps=maps)  # what was written, read once more in one pass, keeping the weights
    weights = mg.cat(maps.source[-2:], dim=0).mean((0, 1)).cpu().numpy()  # of the last two layers, all heads: (T, S)
    above, aside = ([_shown(tokenizer, i) for i in ids] for ids in (tokens[0].tolist(), written[0, 1:].tolist()))
    figure, axes = plt.subplots(
        figsize=(1.8 + 0.34 * len(above), 1.6 + 0.3 * len(aside)), layout="constrained"
    )  # room for a word a cell
    axes.imshow(weights, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(range(len(above)), above, rotation=60, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(aside)), aside)
    axes.xaxis.tick_top()
    axes.set(ylabel="written, from top to bottom")
    axes.set_title("what the decoder looked at (last two layers, mean of heads)", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _shown(tokenizer: Any, token: int) -> str:
    return "end" if token == tokenizer.eos_token_id else tokenizer.decode([token]).strip() or "·"
