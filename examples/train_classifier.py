"""Train a small Transformer to tell what a text says: good or bad.

    python examples/train_classifier.py                          SST-2: phrases from film reviews (English)
    python examples/train_classifier.py --data chnsenticorp      reviews of hotels and books (Chinese, by character)
    python examples/train_classifier.py --data imdb              whole film reviews (84 MB, fetched once)
    python examples/train_classifier.py --data FILE.tsv          a table of yours: label<TAB>text, so its first line
    python examples/train_classifier.py --preset wide            vocabulary 10,000, 512 channels, 8 heads, one logit
    python examples/train_classifier.py --resume                 go on where the last run stopped

What is judged and saved is a running mean of the weights (Polyak & Juditsky, 1992), over about half an epoch: it judges
better than the weights themselves, and depends less on the seed. Each epoch prints its loss and accuracy on validation
data; the run ends with the epoch that was best there (early, after --patience epochs without a better one), and one
figure on the test data. SST-2 has no test labels: its dev split is the test, and some of its training sentences
validate, whose phrases are left out of training. What the model needs later is saved as a folder in --out/model.
Ctrl-C stops after the current step and saves.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training

import minigrad as mg
from minigrad import data
from minigrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from models.text_classifier import TextClassifier, TextClassifierConfig

PRESETS = {
    "small": {"vocabulary": 20000, "channels": 128, "heads": 4, "hidden": 256, "classes": 0},
    "wide": {"vocabulary": 10000, "channels": 512, "heads": 8, "hidden": 512, "classes": 1},
}
Split = tuple[list[str], np.ndarray]  # texts and their labels


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="sst2", help="sst2, chnsenticorp, imdb, or a file (default: %(default)s)")
    p.add_argument("--preset", choices=PRESETS, default="small", help="sizes of the model (default: %(default)s)")
    for name in ("vocabulary", "channels", "heads", "hidden"):
        p.add_argument(f"--{name}", type=int, help="in place of the preset's")
    p.add_argument("--layers", type=int, default=1, help="of the encoder (default: %(default)s)")
    p.add_argument("--pooling", default="max", help="mean, max or first (default: %(default)s)")
    p.add_argument("--epochs", type=int, help="times through the texts (default: 2 for sst2, 4 for others)")
    p.add_argument("--batch-size", type=int, help="texts a step (default: 64 for sst2, 32 for others)")
    p.add_argument(
        "--max-length", type=int, default=256, help="tokens of a text; the rest is cut (default: %(default)s)"
    )
    p.add_argument("--lr", type=float, default=1e-3, help="peak learning rate (default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.3, help="inside the model (default: %(default)s)")
    p.add_argument(
        "--word-dropout", type=float, default=0.15, help="share of words that are hidden (default: %(default)s)"
    )
    p.add_argument(
        "--average", type=float, default=0.5, help="epochs that the mean of the weights spans; 0: the last weights"
    )
    p.add_argument("--l1", type=float, default=0.0, help="times the sum of |weights|, added to the loss")
    p.add_argument("--l2", type=float, default=0.1, help="weight decay, as AdamW has it (default: %(default)s)")
    p.add_argument("--class-weights", action="store_true", help="let rare classes count as much as frequent ones")
    p.add_argument("--patience", type=int, default=2, help="epochs to wait for a better one (default: %(default)s)")
    training.add_common_flags(p, out="runs/classifier")
    args = p.parse_args()
    for name, value in PRESETS[args.preset].items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    short = args.data == "sst2"  # many short phrases; the others are fewer, longer texts
    args.epochs = (2 if short else 4) if args.epochs is None else args.epochs
    args.batch_size = (64 if short else 32) if args.batch_size is None else args.batch_size
    training.check_positive(
        p, args, "vocabulary", "channels", "heads", "hidden", "layers", "epochs", "batch_size", "max_length", "patience"
    )
    for name in ("dropout", "word_dropout"):
        if not 0 <= getattr(args, name) < 1:
            p.error(f"--{name.replace('_', '-')} must be in [0, 1), got {getattr(args, name)}")
    if args.average < 0:
        p.error(f"--average must be 0 or more, got {args.average}")
    return args


def read_splits(source: str, seed: int) -> tuple[dict[str, Split], list[str], bool]:
    """({"train", "validation", "test"}, names of the classes, whether a character is a word)."""
    readers: dict[str, Any] = {"sst2": data.SST2, "chnsenticorp": data.ChnSentiCorp, "imdb": data.IMDB}
    if source == "chnsenticorp":
        parts = [data.ChnSentiCorp(split) for split in ("train", "dev", "test")]
        return _named([(part.texts, part.labels) for part in parts]), list(parts[0].classes), True
    if source in readers:
        train = readers[source]("train")
        test = readers[source]("dev" if source == "sst2" else "test")
        hold = _held_out_sentences if source == "sst2" else _held_out
        kept, held = hold((train.texts, train.labels), seed)
        return _named([kept, held, (test.texts, test.labels)]), list(train.classes), False
    if not os.path.exists(source):
        raise ValueError(f"no such file: {source} (or one of: {', '.join(readers)})")
    rows = data.read_tsv(source, ("label", "text"))
    unique = [rows[i] for i in data.unique_rows([text for _, text in rows])]  # a text is in one part only
    classes = sorted({label for label, _ in unique})
    labels = np.array([classes.index(label) for label, _ in unique])
    places = data.stratified_split(labels, (0.8, 0.1, 0.1), seed)
    texts = [text for _, text in unique]
    by_character = sum(map(len, texts)) > 15 * sum(len(text.split()) for text in texts)  # a script without spaces
    return _named([([texts[i] for i in part], labels[part]) for part in places]), classes, by_character


def _named(parts: list[Split]) -> dict[str, Split]:
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def _held_out(split: Split, seed: int) -> tuple[Split, Split]:
    """A split without a twentieth of it, and that twentieth. Copies of a text are left out: none is in both."""
    texts, labels = split
    places = data.unique_rows(texts)
    kept, held = data.stratified_split(labels[places], (0.95, 0.05), seed)
    return tuple(([texts[i] for i in places[part]], labels[places[part]]) for part in (kept, held))  # type: ignore


def _held_out_sentences(split: Split, seed: int) -> tuple[Split, Split]:
    """Three hundred whole sentences of SST-2, and the rest without the phrases that are parts of them.

    The training texts are sentences and the phrases inside them: a phrase held out at random would have been read as
    part of its sentence, and the figure would be of what was learnt by heart.
    """
    texts, labels = split
    words = [text.split() for text in texts]
    inside = {part for row in words for part in _parts(row) if len(part) < len(row)}
    whole = [i for i, row in enumerate(words) if len(row) >= 8 and tuple(row) not in inside]
    chosen = set(np.random.default_rng(seed).permutation(whole)[: min(300, len(whole) // 2)].tolist())
    seen = {part for i in chosen for part in _parts(words[i])}
    places = [i for i in range(len(texts)) if tuple(words[i]) not in seen], sorted(chosen)
    return tuple(([texts[i] for i in part], labels[part]) for part in places)  # type: ignore


def _parts(words: list[str]) -> Iterator[tuple[str, ...]]:
    """All runs of words in a sentence."""
    return (tuple(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1))


class Batches:
    """Texts as tokens, in batches of like length; which ones a step has depends on step and seed alone.

    The tokens are what the tokenizer gives when it is called, with the marks that it puts around a text: a pipeline
    reads texts in the same way.
    """

    def __init__(self, split: Split, tokenizer: Any, args: argparse.Namespace, device: mg.device):
        texts, self.labels = split
        self.rows = tokenizer(texts, truncation=True, max_length=args.max_length)["input_ids"]
        self.pad, self.size, self.seed, self.device = tokenizer.pad_token_id, args.batch_size, args.seed, device
        self.count = max(len(texts) // self.size, 1)  # batches an epoch
        self.epoch = -1

    def at(self, step: int) -> tuple[mg.Tensor, mg.Tensor, mg.Tensor]:
        epoch, place = divmod(step, self.count)
        if epoch != self.epoch:  # in pools of fifty batches sorted by length, so that little is padding
            rng = np.random.default_rng((self.seed, epoch))
            order, pool = rng.permutation(len(self.rows)), 50 * self.size
            pools = [order[i : i + pool] for i in range(0, len(order), pool)]
            order = np.concatenate([p[np.argsort([len(self.rows[i]) for i in p], kind="stable")] for p in pools])
            starts = rng.permutation(self.count) * self.size
            self.epoch, self.order, self.starts = epoch, order, starts
        return self.of(self.order[self.starts[place] : self.starts[place] + self.size])

    def of(self, places: Any) -> tuple[mg.Tensor, mg.Tensor, mg.Tensor]:
        """(tokens (B, T), mask (B, T), labels (B,)) of texts."""
        rows = [self.rows[i] for i in places]
        longest = max(map(len, rows))
        tokens = np.full((len(rows), longest), self.pad, np.int64)
        for filled, row in zip(tokens, rows, strict=True):
            filled[: len(row)] = row
        mask = np.arange(longest) < np.array([[len(row)] for row in rows])
        return tuple(mg.tensor(x, device=self.device) for x in (tokens, mask, self.labels[places]))  # type: ignore


@mg.no_grad()
def evaluate(model: TextClassifier, batches: Batches) -> tuple[float, float]:
    """(mean loss, accuracy) over all texts."""
    model.eval()
    order = np.argsort([len(row) for row in batches.rows], kind="stable")
    loss = right = 0.0
    for start in range(0, len(order), 64):
        tokens, mask, labels = batches.of(order[start : start + 64])
        logits, mean = model(tokens, mask, labels)
        found = (logits[:, 0] > 0).long() if logits.size(1) == 1 else logits.argmax(1)
        loss += mean.item() * len(labels)
        right += float((found == labels).sum())
    model.train()
    return loss / len(order), right / len(order)


def vocabulary_of(texts: list[str], size: int, by_character: bool, cut_already: bool) -> Any:
    """A tokenizer by character, or by word; where the texts are cut into words already, by blanks alone."""
    from minigrad import text

    if by_character:
        return text.CharacterTokenizer.from_texts(texts, vocab_size=size, min_count=2)
    return text.WordTokenizer.from_texts(
        texts, vocab_size=size, min_count=2, split="spaces" if cut_already else "words"
    )


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    splits, classes, by_character = training.or_exit(lambda: read_splits(args.data, args.seed), "--data")
    if args.classes == 1 and len(classes) != 2:
        sys.exit(f"--preset wide has one logit, for two classes; {args.data} has {len(classes)}")
    tokenizer = training.or_exit(
        lambda: vocabulary_of(splits["train"][0], args.vocabulary, by_character, args.data == "sst2"), "--vocabulary"
    )
    tokenizer.model_max_length = args.max_length  # saved with it, so that a pipeline cuts texts where training did
    train, validation, test = (Batches(splits[name], tokenizer, args, device) for name in splits)
    counts = Counter(splits["train"][1].tolist())
    print(
        f"{args.data}: {', '.join(f'{len(part[0]):,} {name}' for name, part in splits.items())} texts, "
        f"{len(tokenizer):,} {'characters' if by_character else 'words'}; "
        f"the most frequent class alone: {np.mean(splits['test'][1] == counts.most_common(1)[0][0]):.1%} of the test"
    )

    def build() -> TextClassifier:
        config = TextClassifierConfig(
            vocab_size=len(tokenizer), classes=args.classes or len(classes), channels=args.channels, heads=args.heads,
            hidden=args.hidden, layers=args.layers, dropout=args.dropout, pooling=args.pooling,
        )  # fmt: skip
        return TextClassifier(config)

    model = training.or_exit(build, "sizes").to(device)
    optimizer = mg.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.l2)
    keep = 1 - 1 / max(args.average * train.count, 1)  # of the mean so far, at each step
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(keep))
    print(f"a classifier of {sum(p.numel() for p in model.parameters()):,} parameters on {device}")
    marks = (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    weight = None
    if args.class_weights:  # n / (classes x count), so that the mean over the texts is 1
        share = [len(train.rows) / (len(classes) * max(counts[i], 1)) for i in range(len(classes))]
        weight = mg.tensor(share, device=device)

    steps = args.epochs * train.count
    stopping = mg.train.EarlyStopping(args.patience, "max")
    run = training.Run(args, steps, model, optimizer, stopping=stopping.state_dict(), best=None)
    stopping.load_state_dict(run.kept["stopping"])
    if "average" in run.kept:
        average.load_state_dict(run.kept["average"])
    run.kept["average"] = average.state_dict()  # the tensors themselves, which are written in place
    for step in run:
        rate = training.warm_up_and_decay(step, steps, args.lr, warmup=100, final=0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        tokens, mask, labels = train.at(step)
        if args.word_dropout:
            tokens = data.word_dropout(tokens, args.word_dropout, tokenizer.unk_token_id, marks)
        logits, loss = model(tokens, mask, labels, weight)
        if args.l1:
            loss = loss + args.l1 * sum(p.abs().sum() for p in model.parameters())
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        found = (logits[:, 0] > 0).long() if logits.size(1) == 1 else logits.argmax(1)
        run.record(
            step, loss.item(), accuracy=(found == labels).float().mean().item(), lr=rate, gradient_norm=float(norm)
        )
        if run.due(step, train.count):
            held_loss, accuracy = evaluate(average.module, validation)
            late = stopping.step(accuracy)
            if stopping.improved:
                run.kept["best"] = {name: t.clone() for name, t in average.module.state_dict().items()}
            run.kept["stopping"] = stopping.state_dict()
            if late:
                run.finish()
            run.validated(step, held_loss, accuracy=accuracy)

    model.load_state_dict(run.kept["best"])
    loss, accuracy = evaluate(model, test)
    print(
        f"test: loss {loss:.4f}, accuracy {accuracy:.2%} of {len(test.rows):,} texts, with the epoch best in "
        f"validation ({stopping.best:.2%})"
    )
    model.eval().save(os.path.join(args.out, "model"), tokenizer, labels=classes)
    picture = os.path.join(args.out, "loss.png")
    training.plot_losses(picture, f"A classifier on {args.data}", "cross-entropy", run.losses, run.validations)
    print(f"saved in {args.out}: checkpoint.mg, model/, loss.png")


if __name__ == "__main__":
    main()
