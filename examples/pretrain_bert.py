"""Pre-train a BERT: guess hidden words, and tell whether the second passage followed the first.

    python examples/pretrain_bert.py                        Chinese reviews, by character; ten minutes on two cores
    python examples/pretrain_bert.py --data wikitext2       articles of the English Wikipedia, by word piece
    python examples/pretrain_bert.py --data FILE.txt        a text of yours: paragraphs between blank lines
    python examples/pretrain_bert.py --tokenizer FOLDER     with the vocabulary of a folder, such as a public BERT's
    python examples/pretrain_bert.py --resume               go on where the last run stopped
    python examples/finetune_bert.py runs/pretrain/model    what to do with it then

Each row is a passage cut in two at the end of a sentence; in half of the rows the second part comes from another text.
15 % of the words are asked for: of these 80 % are hidden by [MASK], 10 % replaced by any other word and 10 % left as
they are, so that the model cannot know which of the words it sees are right. Which rows a step has, and what is hidden
in them, is drawn anew each time (Devlin et al., 2018; Liu et al., 2019). Validation is on texts kept apart. In --out:
model/ (a folder with the tokenizer), checkpoint.mg, loss.png. Ctrl-C stops after the current step and saves.
"""

import argparse
import os
import re
import sys
from typing import Any, NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training

import minigrad as mg
from minigrad import data
from models.bert import IGNORED, BertConfig, BertForPreTraining, start_small

# Where one sentence ends and the next begins, in Chinese; and in WikiText, whose punctuation stands between blanks.
ENDS = re.compile(r"(?<=[。！？!?；~])(?=[^。！？!?；~])|(?<= [.!?;] )")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="chnsenticorp", help="chnsenticorp, wikitext2, or a file (default: %(default)s)")
    p.add_argument("--tokenizer", metavar="FOLDER", help="a vocabulary that is there (default: made from the text)")
    p.add_argument("--vocabulary", type=int, default=8000, help="tokens of a new one (default: at most %(default)s)")
    p.add_argument("--layers", type=int, default=2, help="of the encoder (default: %(default)s)")
    p.add_argument("--channels", type=int, default=192, help="of a token (default: %(default)s)")
    p.add_argument("--heads", type=int, default=4, help="attention heads a layer (default: %(default)s)")
    p.add_argument("--hidden", type=int, default=512, help="of the feed-forward part (default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.0, help="in encoder and attention (default: %(default)s)")
    p.add_argument("--context", type=int, default=256, help="longest row the model can read (default: %(default)s)")
    p.add_argument("--length", type=int, default=64, help="tokens of a row in training (default: %(default)s)")
    p.add_argument("--hide", type=float, default=0.15, help="share of words that are asked for (default: %(default)s)")
    p.add_argument("--steps", type=int, default=4000, help="optimizer steps (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=64, help="rows a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=1e-3, help="peak learning rate of AdamW (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=500, help="steps between validations (default: %(default)s)")
    training.add_common_flags(p, out="runs/pretrain")
    args = p.parse_args()
    training.check_positive(
        p, args, "vocabulary", "layers", "channels", "heads", "hidden", "steps", "batch_size", "eval_every"
    )
    if not 16 <= args.length <= args.context:
        p.error(f"--length must be from 16 to --context ({args.context}), got {args.length}")
    for name in ("dropout", "hide"):
        if not 0 <= getattr(args, name) < 1:
            p.error(f"--{name} must be in [0, 1), got {getattr(args, name)}")
    if args.hide == 0:
        p.error("--hide 0 leaves nothing to learn from; 0.15 is usual")
    return args


# ---------------------------------------------------------------- texts


class Text(NamedTuple):
    """The tokens of a text (n,), and the places in it where sentences begin, 0 first."""

    tokens: np.ndarray
    starts: np.ndarray


def read_texts(source: str, seed: int) -> tuple[list[str], list[str], bool]:
    """(texts to learn from, texts to validate, whether a character is a word)."""
    if source == "wikitext2":
        articles = [data.WikiText2(split).articles() for split in ("train", "valid")]
        learn, held = ([" ".join(article.paragraphs) for article in part] for part in articles)
        return learn, held, False
    if source == "chnsenticorp":
        texts = list(data.ChnSentiCorp("train").texts)  # those of its test are in none of them
    elif os.path.exists(source):
        texts = [" ".join(part.split()) for part in re.split(r"\n\s*\n", data.read_text(source))]
    else:
        raise ValueError(f"no such file: {source} (or one of: chnsenticorp, wikitext2)")
    texts = [text for text in dict.fromkeys(texts) if len(text) > 20]
    if len(texts) < 20:
        raise ValueError(f"{source} has {len(texts)} different texts of more than 20 characters; 20 are needed, with "
                         "blank lines between them")  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(texts))
    held = max(len(texts) // 40, 4)
    by_character = sum(map(len, texts)) > 15 * sum(len(text.split()) for text in texts)  # a script without spaces
    return [texts[i] for i in order[held:]], [texts[i] for i in order[:held]], by_character


def tokenizer_for(args: argparse.Namespace, texts: list[str], by_character: bool) -> Any:
    from minigrad import text

    if args.tokenizer:
        found = text.load_tokenizer(args.tokenizer)
        for role in ("cls_token", "sep_token", "mask_token", "pad_token"):
            if getattr(found, role) is None:
                raise ValueError(f"{args.tokenizer} has no {role}, which BERT needs")
        return found
    if by_character:
        return text.CharacterTokenizer.from_texts(texts, vocab_size=args.vocabulary, min_count=2, lowercase=True)
    return text.train_wordpiece(texts, args.vocabulary)


def tokens_of(tokenizer: Any, text: str) -> Text:
    sentences = [tokenizer.encode(s, add_special_tokens=False) for s in ENDS.split(text) if s.strip()]
    lengths = np.cumsum([0, *map(len, sentences)])
    return Text(np.array([t for s in sentences for t in s], np.int64), lengths[:-1])


class Rows:
    """Rows of two passages out of texts, with words hidden: a batch is all that a generator of random numbers says."""

    def __init__(self, texts: list[Text], tokenizer: Any, args: argparse.Namespace, device: mg.device):
        self.texts = [text for text in texts if len(text.tokens) >= 8]
        lengths = np.array([len(text.tokens) for text in self.texts])
        self.share = lengths / lengths.sum()  # so that a token of a short text is as likely as one of a long one
        self.tokenizer, self.length, self.hide, self.device = tokenizer, args.length, args.hide, device
        self.special = np.array(tokenizer.all_special_ids)

    def passage(self, rng: np.random.Generator, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """(tokens, beginnings of sentences in them): from a sentence on, at most `longest` of them."""
        tokens, starts = self.texts[rng.choice(len(self.texts), p=self.share)]
        enough = starts[starts <= max(len(tokens) - longest, 0)]  # from where there is enough left, if anywhere
        first = enough[rng.integers(len(enough))] if len(enough) else 0
        return tokens[first : first + longest], starts[starts > first] - first

    def row(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, bool]:
        """([CLS] A [SEP] B [SEP], segments, whether B is from elsewhere)."""
        tokens, starts = self.passage(rng, self.length - 3)
        inside = starts[(starts >= 2) & (starts <= len(tokens) - 2)]
        cut = inside[rng.integers(len(inside))] if len(inside) else len(tokens) // 2
        first, second, other = tokens[:cut], tokens[cut:], bool(rng.integers(2))
        if other:  # as long as what it replaces, or its length would tell
            second = self.passage(rng, len(second))[0]
        t = self.tokenizer
        row = [[t.cls_token_id], first, [t.sep_token_id], second, [t.sep_token_id]]
        segments = np.repeat([0, 1], [len(first) + 2, len(second) + 1])
        return np.concatenate(row), segments, other

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, mg.Tensor]:
        """What the model takes: tokens, mask, segments and labels (B, T), next_label (B,)."""
        rows = [self.row(rng) for _ in range(size)]
        longest = max(len(row) for row, _, _ in rows)
        tokens = np.full((size, longest), self.tokenizer.pad_token_id, np.int64)
        segments, mask = np.zeros_like(tokens), np.zeros_like(tokens)
        for i, (row, parts, _) in enumerate(rows):
            tokens[i, : len(row)], segments[i, : len(row)], mask[i, : len(row)] = row, parts, 1
        hidden, labels = hide(tokens, self.hide, self.special, self.tokenizer, rng)
        arrays = {"tokens": hidden, "mask": mask, "segments": segments, "labels": labels,
                  "next_label": np.array([other for _, _, other in rows], np.int64)}  # fmt: skip
        return {name: mg.tensor(x, device=self.device) for name, x in arrays.items()}


def hide(
    tokens: np.ndarray, share: float, special: np.ndarray, tokenizer: Any, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(tokens with some hidden, labels: what stood there, IGNORED where nothing is asked), both (B, T)."""
    asked = (rng.random(tokens.shape) < share) & ~np.isin(tokens, special)
    for row, left in zip(asked, ~np.isin(tokens, special), strict=True):
        if not row.any():  # a loss over nothing has no value
            row[rng.choice(np.flatnonzero(left))] = True
    fate = rng.random(tokens.shape)
    hidden = np.where(asked & (fate < 0.8), tokenizer.mask_token_id, tokens)
    others = rng.integers(len(special), len(tokenizer), tokens.shape)
    hidden = np.where(asked & (fate >= 0.9), others, hidden)
    return hidden, np.where(asked, tokens, IGNORED)


# ---------------------------------------------------------------- training


@mg.no_grad()
def evaluate(model: BertForPreTraining, rows: Rows, args: argparse.Namespace) -> tuple[float, float, float]:
    """(loss, share of the hidden words guessed, share of pairs told apart), always on the same ten batches."""
    model.eval()
    loss, words, pairs, asked, told = 0.0, 0, 0, 0, 0
    for i in range(10):
        batch = rows.batch(np.random.default_rng((args.seed, 2, i)), args.batch_size)
        (guessed, follows), mean = model(**batch)
        labels = batch["labels"].flatten()
        labels = labels[labels != IGNORED]
        loss += mean.item() / 10
        words, asked = words + int((guessed.argmax(1) == labels).sum()), asked + len(labels)
        pairs, told = pairs + int((follows.argmax(1) == batch["next_label"]).sum()), told + len(follows)
    model.train()
    return loss, words / asked, pairs / told


@mg.no_grad()
def show_guesses(model: BertForPreTraining, rows: Rows, args: argparse.Namespace, count: int = 3) -> str:
    """Rows of the validation texts, with what stands at the hidden places and what the model guesses."""
    model.eval()
    lines, t = [], rows.tokenizer
    for i in range(count):
        batch = rows.batch(np.random.default_rng((args.seed, 3, i)), 1)
        (guessed, _), _ = model(**batch)
        places = (batch["labels"][0] != IGNORED).nonzero().flatten().tolist()
        tokens, right = batch["tokens"][0].tolist(), batch["labels"][0].tolist()
        found = zip(places, guessed.argmax(1).tolist(), strict=True)
        guesses = [f"{t.decode([right[place]])} {t.decode([guess])}" for place, guess in found]
        lines.append(f"  {t.decode(tokens)[:160]}\n    hidden, guessed: {' | '.join(guesses[:12])}")
    model.train()
    return "\n".join(lines)


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    learn, held, by_character = training.or_exit(lambda: read_texts(args.data, args.seed), "--data")
    tokenizer = training.or_exit(
        lambda: tokenizer_for(args, learn, by_character), "--tokenizer" if args.tokenizer else "--vocabulary"
    )
    train, validation = (
        Rows([tokens_of(tokenizer, text) for text in texts], tokenizer, args, device) for texts in (learn, held)
    )

    def build() -> BertForPreTraining:
        return BertForPreTraining(BertConfig(
            vocab_size=len(tokenizer), hidden_size=args.channels, num_hidden_layers=args.layers,
            num_attention_heads=args.heads, intermediate_size=args.hidden, hidden_dropout_prob=args.dropout,
            attention_probs_dropout_prob=args.dropout, max_position_embeddings=args.context, initializer_range=0.05,
        ))  # fmt: skip

    model = training.or_exit(build, "sizes")
    start_small(model.bert, words=0.05, places=0.1)
    model = model.to(device)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = mg.optim.AdamW(groups, lr=args.lr)
    print(
        f"{args.data}: {len(train.texts):,} texts to learn from, {sum(len(t.tokens) for t in train.texts):,} tokens of "
        f"{len(tokenizer):,} kinds; {len(validation.texts):,} to validate\n"
        f"a BERT of {sum(p.numel() for p in model.parameters()):,} parameters on {device}"
    )

    run = training.Run(args, args.steps, model, optimizer)
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, warmup=min(args.steps // 10, 500), final=0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(**train.batch(np.random.default_rng((args.seed, 1, step)), args.batch_size))
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            held_loss, words, pairs = evaluate(model, validation, args)
            if args.tensorboard:
                run.board.text(step + 1, "guesses", show_guesses(model, validation, args))
            run.validated(step, held_loss, words_guessed=words, pairs_told_apart=pairs)

    print(show_guesses(model, validation, args))
    model.eval().save(os.path.join(args.out, "model"), tokenizer)
    title = f"Hidden words and next passages, {args.data}"
    training.plot_losses(os.path.join(args.out, "loss.png"), title, "nats", run.losses, run.validations)
    print(f"saved in {args.out}: checkpoint.mg, model/, loss.png")


if __name__ == "__main__":
    main()
