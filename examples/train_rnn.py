"""Train a recurrent language model: words of Wikipedia articles, or names letter by letter.

    python examples/train_rnn.py                          an LSTM on WikiText-2 for ten minutes; test perplexity
    python examples/train_rnn.py --preset full            the longer run of the README, about an hour
    python examples/train_rnn.py --data names             32,000 names: one minute, and it invents new ones
    python examples/train_rnn.py --data FILE.txt          words of a text of yours
    python examples/train_rnn.py --cell gru               or rnn
    python examples/train_rnn.py --resume                 go on where the last run stopped

The text is read in --batch-size rows side by side, --bptt tokens at a time; the state at the end of one piece begins
the next. AdamW with a cosine decay; dropout that hides the same channels at all times; the embedding is the output
layer too. Perplexity is exp(mean cross-entropy): among so many words the model is undecided. The weights that were best
in validation are kept, and the test is measured once, at the end. Ctrl-C stops after the current step and saves.
"""

import argparse
import itertools
import math
import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training

import minigrad as mg
from minigrad import data
from models.rnn import CELLS, RNN, RNNConfig

PRESETS = {  # steps of 40 x 35 words; WikiText-2 has 1,490 an epoch
    "short": {"steps": 1600, "channels": 200, "layers": 1, "dropout": 0.2, "embedding_dropout": 0.0},
    "full": {"steps": 7000, "channels": 256, "layers": 1, "dropout": 0.35, "embedding_dropout": 0.1},
    "names": {"steps": 3000, "channels": 128, "layers": 1, "dropout": 0.1, "embedding_dropout": 0.0},
}
SAMPLING = ("temperature", "samples")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="wikitext2", help="wikitext2, names, or a text file (default: %(default)s)")
    p.add_argument("--preset", choices=PRESETS, help="sizes and length of the run (default: short, or names)")
    for name, kind in (
        ("steps", int),
        ("channels", int),
        ("layers", int),
        ("dropout", float),
        ("embedding_dropout", float),
    ):
        p.add_argument(f"--{name.replace('_', '-')}", type=kind, help="in place of the preset's")
    p.add_argument("--cell", default="lstm", choices=CELLS, help="(default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=40, help="rows side by side (default: %(default)s)")
    p.add_argument("--bptt", type=int, default=35, help="tokens a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=3e-3, help="peak learning rate (default: %(default)s)")
    p.add_argument("--weight-decay", type=float, default=1e-2, help="as AdamW has it (default: %(default)s)")
    p.add_argument("--grad-clip", type=float, default=0.25, help="largest norm of the gradient (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=800, help="steps between validations (default: %(default)s)")
    p.add_argument("--temperature", type=float, default=0.8, help="of the samples (default: %(default)s)")
    p.add_argument("--samples", type=int, default=60, help="words to write, or names (default: %(default)s)")
    training.add_common_flags(p, out="runs/rnn")
    args = p.parse_args()
    for name, value in PRESETS[args.preset or ("names" if args.data == "names" else "short")].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    training.check_positive(p, args, "steps", "channels", "layers", "batch_size", "bptt", "eval_every")
    for name in ("dropout", "embedding_dropout"):
        if not 0 <= getattr(args, name) < 1:
            p.error(f"--{name.replace('_', '-')} must be in [0, 1), got {getattr(args, name)}")
    return args


def read_tokens(source: str, seed: int) -> tuple[list[list[str]], str]:
    """([training, validation, test] tokens, the one that ends a line)."""
    if source == "wikitext2":
        return [data.WikiText2(split).words() for split in ("train", "valid", "test")], "<eos>"
    if source == "names":
        names = list(dict.fromkeys(data.names()))
        order = np.random.default_rng(seed).permutation(len(names))
        cuts = (0, int(0.8 * len(names)), int(0.9 * len(names)), len(names))
        parts = [[names[i] for i in order[a:b]] for a, b in itertools.pairwise(cuts)]
        return [["\n", *(c for name in part for c in (*name, "\n"))] for part in parts], "\n"
    if not os.path.exists(source):
        raise ValueError(f"no such file: {source} (or one of: wikitext2, names)")
    words = [w for line in data.read_text(source).splitlines() for w in (*line.split(), "<eos>")]
    cuts = (0, int(0.8 * len(words)), int(0.9 * len(words)), len(words))
    return [words[a:b] for a, b in itertools.pairwise(cuts)], "<eos>"


def rows_of(ids: np.ndarray, count: int, device: mg.device) -> mg.Tensor:
    """(count, n) of a text: row i is the i-th of `count` equal pieces; what is left over is cut."""
    width = len(ids) // count
    if width < 2:
        raise ValueError(f"a part of {len(ids)} tokens is too short for {count} rows: lower --batch-size")
    return mg.tensor(ids[: count * width].reshape(count, width), device=device)


@mg.no_grad()
def mean_loss(model: RNN, rows: mg.Tensor, bptt: int) -> float:
    """Nats a token over all rows, each read from its beginning to its end with one state."""
    model.eval()
    total, count, state = 0.0, 0, None
    for start in range(0, rows.size(1) - 1, bptt):
        stop = min(start + bptt, rows.size(1) - 1)
        _, loss = model(rows[:, start:stop], rows[:, start + 1 : stop + 1], state)
        state = model.state
        total, count = total + loss.item() * (stop - start), count + stop - start
    model.train()
    return total / count


def piece_at(step: int, rows: mg.Tensor, bptt: int, seed: int) -> tuple[mg.Tensor, mg.Tensor, bool]:
    """(tokens, targets, whether the state starts anew): the piece of a step. Each epoch begins at another token, so
    that the pieces differ.
    """
    per_epoch = max((rows.size(1) - 1) // bptt - 1, 1)
    epoch, place = divmod(step, per_epoch)
    shift = int(np.random.default_rng((seed, epoch)).integers(bptt)) if rows.size(1) > 2 * bptt else 0
    start = shift + place * bptt
    stop = min(start + bptt, rows.size(1) - 1)
    return rows[:, start:stop], rows[:, start + 1 : stop + 1], place == 0


def write(model: RNN, vocabulary: list[str], end: str, args: argparse.Namespace) -> str:
    """Words that the model writes after the end of a line, or as many names."""
    first = vocabulary.index(end)
    by_letter = end == "\n"
    device = model.output.weight.device
    rows = args.samples if by_letter else 1
    start = mg.full((rows, 1), first, dtype=mg.int64, device=device)
    stops = [first] if by_letter else []
    count = 20 if by_letter else args.samples
    never = [vocabulary.index("<unk>")] if "<unk>" in vocabulary else []
    written = model.generate(start, count, temperature=args.temperature, stop_tokens=stops, suppress_tokens=never)
    if not by_letter:
        return " ".join(vocabulary[i] for i in written[0, 1:].tolist()).replace(" <eos> ", "\n")
    names = ["".join(vocabulary[i] for i in row[1:]).partition("\n")[0] for row in written.tolist()]
    return ", ".join(names)


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    parts, end = training.or_exit(lambda: read_tokens(args.data, args.seed), "--data")
    vocabulary = sorted(set(parts[0]) | {end, "<unk>"} if end == "<eos>" else set().union(*parts))
    index = {word: i for i, word in enumerate(vocabulary)}
    unknown = index.get("<unk>", 0)
    ids = [np.array([index.get(word, unknown) for word in part]) for part in parts]
    train, validation, test = (
        training.or_exit(lambda part=part, n=n: rows_of(part, n, device), "--data")
        for part, n in zip(ids, (args.batch_size, min(10, args.batch_size), 1), strict=True)
    )
    kind = "letters" if end == "\n" else "words"
    print(f"{args.data}: {', '.join(f'{len(part):,}' for part in ids)} {kind} to learn from, to validate, to test; "
          f"{len(vocabulary):,} different ones")  # fmt: skip

    config = RNNConfig(
        len(vocabulary), args.cell, args.channels, args.layers, args.dropout, args.embedding_dropout, tied=True
    )
    model = RNN(config).to(device)
    optimizer = mg.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    print(f"{args.cell.upper()}, {args.layers} x {args.channels}, {sum(p.numel() for p in model.parameters()):,} "
          f"parameters on {device}")  # fmt: skip

    run = training.Run(
        args, args.steps, model, optimizer, free=SAMPLING, best=None, lowest=math.inf, state=None, vocabulary=vocabulary
    )
    model.state = as_state(run.kept["state"])
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, warmup=100, final=0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        tokens, targets, anew = piece_at(step, train, args.bptt, args.seed)
        _, loss = model(tokens, targets, None if anew else model.state)
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), args.grad_clip)
        optimizer.step()
        run.kept["state"] = model.state
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            state = model.state  # validation reads another text with the same model
            value = mean_loss(model, validation, args.bptt)
            model.state = run.kept["state"] = state
            if value < run.kept["lowest"]:
                run.kept["lowest"], run.kept["best"] = value, {n: t.clone() for n, t in model.state_dict().items()}
            run.validated(step, value, perplexity=math.exp(value))

    model.load_state_dict(run.kept["best"])
    loss = mean_loss(model, test, args.bptt)
    print(f"test: {loss:.4f} nats, perplexity {math.exp(loss):.2f}; validation {math.exp(run.kept['lowest']):.2f}")
    sample = write(model, vocabulary, end, args)
    print(f"\n{sample}\n")
    if end == "\n":
        known = set("".join(parts[0]).split("\n"))
        written = sample.split(", ")
        print(
            f"{sum(name not in known for name in written)} of these {len(written)} names are not in the training data"
        )
    model.eval().save(os.path.join(args.out, "model"), tokenizer_of(vocabulary, end))
    picture = os.path.join(args.out, "loss.png")
    training.plot_losses(
        picture, f"{args.cell.upper()} on {args.data}", f"nats a {kind[:-1]}", run.losses, run.validations
    )
    print(f"saved in {args.out}: checkpoint.mg, model/, loss.png")


def as_state(kept: Any) -> Any:
    """A state as the model has it: a checkpoint gives tuples back as it took them."""
    return None if kept is None else [tuple(layer) if isinstance(layer, (list, tuple)) else layer for layer in kept]


def tokenizer_of(vocabulary: list[str], end: str) -> Any:
    """The vocabulary as a tokenizer, for `generate.py` and `minigrad.pipeline`."""
    from minigrad import text

    roles = {"eos_token": end, "unk_token": "<unk>"} if end == "<eos>" else {"eos_token": end}
    if end == "\n":
        return text.CharacterTokenizer(vocabulary, roles)
    return text.WordTokenizer(vocabulary, roles, lowercase=False, split="spaces")


if __name__ == "__main__":
    main()
