"""Train a GPT on seven thousand poems of the Tang dynasty; it goes on from a first line of yours.

    python examples/train_poetry.py                          about 4 minutes
    python examples/train_poetry.py --first 春眠不覺曉， --resume   go on from this line, with the model trained before
    python examples/generate.py runs/poetry/model 白日依山盡，

A poem is read character by character from its beginning, since what makes its form is how far away the beginning is:
most have lines of five or seven characters. The run ends with the loss on poems held out, with how many of its poems
have lines of one length throughout, and with a few of them. `model/` in --out holds what `minigrad.pipeline` needs.
Ctrl-C stops after the current step and saves.
"""

import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training

import minigrad as mg
from minigrad import data
from minigrad.text import CharacterTokenizer
from models.gpt import GPT, GPTConfig

END = "\n"  # stands behind a poem
SAMPLING = ("first", "poems", "temperature", "top_p")  # flags that a resumed run may change


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", metavar="FILE", help="one poem a line, in place of the Tang poems")
    p.add_argument("--steps", type=int, default=2000, help="optimizer steps (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=32, help="poems a step (default: %(default)s)")
    p.add_argument("--block-size", type=int, default=64, help="characters of context (default: %(default)s)")
    p.add_argument("--layers", type=int, default=3, help="(default: %(default)s)")
    p.add_argument("--heads", type=int, default=4, help="of attention (default: %(default)s)")
    p.add_argument("--channels", type=int, default=128, help="(default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.1, help="(default: %(default)s)")
    p.add_argument("--lr", type=float, default=2e-3, help="peak learning rate (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=250, help="steps between validations (default: %(default)s)")
    p.add_argument("--first", action="append", help="a line to go on from; may be given again (default: of held out)")
    p.add_argument("--poems", type=int, default=60, help="to write for the count of forms (default: %(default)s)")
    p.add_argument("--temperature", type=float, default=0.8, help="of the poems (default: %(default)s)")
    p.add_argument("--top-p", type=float, default=0.95, help="(default: %(default)s)")
    training.add_common_flags(p, out="runs/poetry")
    args = p.parse_args()
    training.check_positive(p, args, "steps", "batch_size", "block_size", "layers", "heads", "channels", "eval_every",
                            "poems")  # fmt: skip
    if args.channels % args.heads:
        p.error(f"--channels ({args.channels}) must be a multiple of --heads ({args.heads})")
    if not 0 <= args.dropout < 1:
        p.error(f"--dropout must be in [0, 1), got {args.dropout}")
    return args


def read_poems(path: str | None, seed: int) -> tuple[list[str], list[str]]:
    """(for training, held out): a twentieth of the poems, chosen by the seed."""
    if path is None:
        poems = ["".join(poem.lines) for poem in data.TangPoems().poems]
    else:
        poems = list(dict.fromkeys(line.strip() for line in data.read_text(path).splitlines() if line.strip()))
    if len(poems) < 20:
        raise ValueError(f"{len(poems)} poems are too few: 20 at least, one a line")
    order, held = np.random.default_rng(seed).permutation(len(poems)), len(poems) // 20
    return [poems[i] for i in order[held:]], [poems[i] for i in order[:held]]


class Poems:
    """Poems as one row of tokens, and where each begins."""

    def __init__(self, poems: list[str], tokenizer: CharacterTokenizer, block: int, device: mg.device):
        rows = [tokenizer.encode(poem + END, add_special_tokens=False) for poem in poems]
        self.starts = np.cumsum([0, *map(len, rows)])[:-1]
        filler = [rows[0][-1]] * (block + 1)  # behind the last one, so that each can be read to the full block
        self.tokens = mg.tensor([t for row in rows for t in row] + filler, device=device)
        self.block = block

    def batch(self, places: np.ndarray) -> tuple[mg.Tensor, mg.Tensor]:
        """(B, T) tokens from the beginnings of poems, and those that follow each. A short poem is followed by the next:
        the END between them says that a new one begins.
        """
        windows = mg.tensor(self.starts[places][:, None] + np.arange(self.block + 1), device=self.tokens.device)
        tokens = self.tokens[windows]
        return tokens[:, :-1], tokens[:, 1:]


@mg.no_grad()
def validation_loss(model: GPT, poems: Poems, batch: int) -> float:
    model.eval()
    places = np.arange(len(poems.starts))
    losses = [
        (model(*poems.batch(part))[1].item(), len(part)) for part in np.array_split(places, -(-len(places) // batch))
    ]
    model.train()
    return sum(loss * n for loss, n in losses) / len(places)


def line_lengths(poem: str) -> list[int]:
    return [len(line) for line in re.split(r"[，。？！；：、\s]+", poem) if line]


def is_regular(poem: str) -> bool:
    """Whether a poem has two lines or more, all of one length."""
    return len(line_lengths(poem)) > 1 and len(set(line_lengths(poem))) == 1


def first_lines(poems: list[str], tokenizer: CharacterTokenizer, count: int) -> list[str]:
    """Of poems that are regular and whose characters are known, the first line with its comma."""
    known = [p for p in poems if is_regular(p) and tokenizer.unk_token_id not in tokenizer.encode(p[:8])]
    return [match.group() for p in known if (match := re.match(r"\w+，", p))][:count]


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    train, held = training.or_exit(lambda: read_poems(args.data, args.seed), "--data")
    tokenizer = CharacterTokenizer.from_texts(
        train, min_count=2, special_tokens={"unk_token": "[UNK]", "pad_token": "[PAD]", "eos_token": END}
    )
    print(f"{len(train):,} poems to learn from, {len(held):,} held out; {len(tokenizer):,} characters known")
    for line in args.first or []:
        if strange := [c for c in line if tokenizer.unk_token_id in tokenizer.encode(c, add_special_tokens=False)]:
            sys.exit(
                f"--first: {line} has {strange[0]!r}, which is in no two poems; the poems are in traditional characters"
            )
        if len(line) > args.block_size - 2:
            sys.exit(f"--first: {line} leaves no room in {args.block_size} characters: raise --block-size")
    parts = {
        "train": Poems(train, tokenizer, args.block_size, device),
        "held": Poems(held, tokenizer, args.block_size, device),
    }

    config = GPTConfig(
        vocab_size=len(tokenizer), block_size=args.block_size, n_layer=args.layers, n_head=args.heads,
        n_embd=args.channels, dropout=args.dropout, bias=False,
    )  # fmt: skip
    model = GPT(config).to(device)
    optimizer = mg.optim.AdamW(model.parameter_groups(0.1), lr=args.lr, betas=(0.9, 0.99))
    print(f"a GPT of {sum(p.numel() for p in model.parameters()):,} parameters on {device}")
    run = training.Run(args, args.steps, model, optimizer, free=SAMPLING)
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, min(100, args.steps // 10 + 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        places = np.random.default_rng((args.seed, step)).integers(len(train), size=args.batch_size)
        _, loss = model(*parts["train"].batch(places))
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            run.validated(step, validation_loss(model, parts["held"], args.batch_size))

    model.eval().save(os.path.join(args.out, "model"), tokenizer)
    training.plot_losses(
        os.path.join(args.out, "loss.png"), "A GPT on poems", "nats a character", run.losses, run.validations
    )
    print(f"validation loss {run.validations[-1][1]:.4f} nats a character")
    pipe = mg.pipeline(os.path.join(args.out, "model"), device=device)

    def go_on(lines: list[str]) -> list[str]:
        room = args.block_size - max(map(len, lines))
        return pipe(lines, max_new_tokens=room, temperature=args.temperature, top_p=args.top_p)

    lines = first_lines(held, tokenizer, args.poems)
    if lines:
        mg.manual_seed(args.seed)
        written = go_on(lines)
        ours, theirs = (np.mean([is_regular(poem) for poem in poems]) for poems in (written, held))
        print(
            f"of {len(written)} poems written from first lines of held-out ones, {ours:.0%} have lines of one length; "
            f"of all poems held out, {theirs:.0%}"
        )
    else:
        written = []
    if args.first:
        written = go_on(args.first)
    print("\n" + "\n".join(written[: max(3, len(args.first or []))]) + "\n")
    print(f"saved in {args.out}: model/, loss.png, checkpoint.mg")


if __name__ == "__main__":
    main()
