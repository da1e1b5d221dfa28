"""Two tasks on one encoder: what a text says, good or bad, and what kind of text it is.

    python examples/two_tasks.py               film reviews, picture captions, encyclopedia articles; some minutes
    python examples/two_tasks.py --resume      go on where the last run stopped

The sentiment is known of the reviews alone (SST-2), the kind of all texts (SST-2, Multi30k's captions, sentences of
WikiText-2): a batch holds all of them, and the loss of a task counts the texts that have a label for it,
loss = CE(kind) + CE(sentiment). Both heads read the same vector of the same encoder (Caruana, 1997). For comparison an
encoder is trained for each task alone, with the same seed, as many steps and the same batches. The run ends with bytes,
the time of one text, and accuracy on test texts: of both tasks by one encoder, and by two. Texts are in small letters
and without the marks of their data sets, which would give the kind away. In --out, for each of the three runs:
model.mg, loss.png, checkpoint.mg. Ctrl-C stops after the current step and saves.
"""

import argparse
import copy
import os
import statistics
import sys
import time
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training
from train_classifier import read_splits
from train_summary import plain

import minigrad as mg
from minigrad import data, nn
from minigrad.metrics import Accuracy
from minigrad.nn import functional as F
from minigrad.text import WordTokenizer, pad
from models.bert import Bert, BertConfig, start_small

TASKS = {"sentiment": ("negative", "positive"), "kind": ("review", "caption", "article")}
UNKNOWN = -100  # the label of a text that a task says nothing about: cross_entropy leaves it out
PARTS = ("train", "validation", "test")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--vocabulary", type=int, default=15000, help="words (default: %(default)s)")
    p.add_argument("--layers", type=int, default=1, help="of the encoder (default: %(default)s)")
    p.add_argument("--channels", type=int, default=128, help="of a word (default: %(default)s)")
    p.add_argument("--heads", type=int, default=4, help="attention heads a layer (default: %(default)s)")
    p.add_argument("--hidden", type=int, default=256, help="of the feed-forward part (default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.3, help="in the encoder (default: %(default)s)")
    p.add_argument("--max-length", type=int, default=64, help="words of a text; the rest is cut (default: %(default)s)")
    p.add_argument("--most", type=int, default=30000, help="texts of each kind, at most (default: %(default)s)")
    p.add_argument("--steps", type=int, default=3000, help="optimizer steps of each run (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=64, help="texts a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=1e-3, help="peak learning rate of AdamW (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=500, help="steps between validations (default: %(default)s)")
    training.add_common_flags(p, out="runs/two_tasks")
    args = p.parse_args()
    training.check_positive(
        p, args, "vocabulary", "layers", "channels", "heads", "hidden", "max_length", "most", "steps", "batch_size",
        "eval_every",
    )  # fmt: skip
    if not 0 <= args.dropout < 1:
        p.error(f"--dropout must be in [0, 1), got {args.dropout}")
    return args


# ---------------------------------------------------------------- texts with labels of two tasks


def read_texts(most: int, seed: int) -> dict[str, tuple[list[str], dict[str, np.ndarray]]]:
    """{part: (texts, {task: labels})}; no text is in two parts."""
    reviews, _, _ = read_splits("sst2", seed)
    rows: dict[str, list[tuple[str, int, int]]] = {}
    for part, split in zip(PARTS, ("train", "val", "test"), strict=True):
        texts, labels = reviews[part]
        captions = [english for _, english in data.Multi30k(split)]
        articles = [sentence for article in data.WikiText2("valid" if split == "val" else split).articles()
                    for paragraph in article.paragraphs for sentence in plain(paragraph).split(" . ")]  # fmt: skip
        rows[part] = [(text, int(label), 0) for text, label in zip(texts, labels, strict=True)]
        for kind, others in enumerate((captions, articles), 1):
            rows[part] += [(text, UNKNOWN, kind) for text in others if len(text.split()) >= 4]
    found = {}
    seen: set[str] = set()
    for part in reversed(PARTS):  # a text of the test is in no other part
        rng, unique = np.random.default_rng((seed, PARTS.index(part))), {}
        for text, sentiment, kind in rows[part]:
            text = " ".join(text.lower().rstrip(" .").split())
            if text and text not in seen:
                unique[text] = (sentiment, kind)
        seen |= set(unique)
        texts = np.array(list(unique), dtype=object)
        labels = np.array(list(unique.values()))
        limit = most if part == "train" else max(most // 20, 1)
        kept = np.concatenate([rng.permutation(np.flatnonzero(labels[:, 1] == kind))[:limit] for kind in range(3)])
        found[part] = list(texts[kept]), dict(zip(TASKS, labels[kept].T, strict=True))
    return found


class Texts:
    """Texts as tokens, with their labels; which ones a step has depends on step and seed alone."""

    def __init__(self, part: tuple[list[str], dict[str, np.ndarray]], tokenizer: Any, longest: int, device: mg.device):
        texts, self.labels = part
        found = tokenizer(texts, truncation=True, max_length=longest)
        self.rows, self.pad, self.device = found["input_ids"], tokenizer.pad_token_id, device

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, places: Any) -> tuple[mg.Tensor, mg.Tensor, dict[str, mg.Tensor]]:
        """tokens and mask (B, T), and for each task the labels (B,)."""
        tokens, mask = pad([self.rows[i] for i in places], self.pad)
        labels = {task: mg.tensor(values[places], device=self.device) for task, values in self.labels.items()}
        return mg.tensor(tokens, device=self.device), mg.tensor(mask, device=self.device), labels


# ---------------------------------------------------------------- the model


class Multitask(nn.Module):
    """One encoder, a linear head for each task: `logits = model(tokens, mask)`, {task: (B, classes)}."""

    def __init__(self, config: BertConfig, tasks: tuple[str, ...]):
        super().__init__()
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.heads = nn.ModuleDict({task: nn.Linear(config.hidden_size, len(TASKS[task])) for task in tasks})

    def forward(self, tokens: mg.Tensor, mask: mg.Tensor) -> dict[str, mg.Tensor]:
        x, _ = self.bert(tokens, mask)  # (B, T, C)
        seen = mask.unsqueeze(-1).to(x.dtype)
        mean = (x * seen).sum(1) / seen.sum(1)  # (B, C): of the words, for so little data better than [CLS]
        return {task: head(self.dropout(mean)) for task, head in self.heads.items()}


def loss_of(logits: dict[str, mg.Tensor], labels: dict[str, mg.Tensor]) -> mg.Tensor:
    """The sum over the tasks of the mean loss of the texts that have a label; a batch may have none for a task."""
    known = {task: bool((labels[task] != UNKNOWN).any()) for task in logits}
    return sum(F.cross_entropy(logits[task], labels[task], ignore_index=UNKNOWN) for task in logits if known[task])


@mg.no_grad()
def evaluate(model: Multitask, texts: Texts) -> tuple[float, dict[str, float]]:
    """(mean loss of a batch, accuracy of each task)."""
    model.eval()
    figures = {task: Accuracy(ignore_index=UNKNOWN) for task in model.heads}
    order, losses = np.argsort([len(row) for row in texts.rows], kind="stable"), []
    for start in range(0, len(order), 128):
        tokens, mask, labels = texts.batch(order[start : start + 128])
        logits = model(tokens, mask)
        losses.append(float(loss_of(logits, labels)))
        for task, metric in figures.items():
            metric.update(logits[task].argmax(1), labels[task])
    model.train()
    return float(np.mean(losses)), {task: metric.compute() for task, metric in figures.items()}


def train(
    tasks: tuple[str, ...], config: BertConfig, parts: list[Texts], args: argparse.Namespace, device: mg.device
) -> Multitask:
    """An encoder for some of the tasks."""
    args = copy.copy(args)
    args.out = os.path.join(args.out, "-and-".join(tasks))
    args.resume = args.resume and os.path.exists(os.path.join(args.out, "checkpoint.mg"))
    mg.manual_seed(args.seed)
    model = Multitask(config, tasks)
    start_small(model.bert, words=0.1, places=0.1)
    model = model.to(device)
    optimizer = mg.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.1)
    print(f"\nan encoder for {' and '.join(tasks)}: {sum(p.numel() for p in model.parameters()):,} parameters")
    run = training.Run(args, args.steps, model, optimizer)
    learn, held = parts[0], parts[1]
    for step in run:
        rate = training.warm_up_and_decay(step, args.steps, args.lr, warmup=min(args.steps // 10, 200), final=0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        tokens, mask, labels = learn.batch(training.batch_at(step, len(learn), args.batch_size, args.seed))
        loss = loss_of(model(tokens, mask), labels)
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            held_loss, accuracies = evaluate(model, held)
            run.validated(step, held_loss, **{f"{task}_accuracy": value for task, value in accuracies.items()})
    mg.save(
        {"config": vars(config), "tasks": list(tasks), "state": model.state_dict()}, os.path.join(args.out, "model.mg")
    )
    title = f"One encoder for {' and '.join(tasks)}"
    training.plot_losses(os.path.join(args.out, "loss.png"), title, "nats a text", run.losses, run.validations)
    return model.eval()


@mg.no_grad()
def milliseconds(models: list[Multitask], texts: Texts) -> float:
    """The median time of one text through all of the models, over fifty of them."""
    times = []
    for i in range(min(51, len(texts))):
        tokens, mask, _ = texts.batch([i])
        start = time.perf_counter()
        for model in models:
            model(tokens, mask)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times) * 1e3


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    found = training.or_exit(lambda: read_texts(args.most, args.seed), "data")
    tokenizer = training.or_exit(
        lambda: WordTokenizer.from_texts(found["train"][0], args.vocabulary, min_count=2), "--vocabulary"
    )
    parts = [Texts(found[part], tokenizer, args.max_length, device) for part in PARTS]
    known = [int((part.labels["sentiment"] != UNKNOWN).sum()) for part in parts]
    for part, texts, count in zip(PARTS, parts, known, strict=True):
        print(f"{part}: {len(texts):,} texts, {count:,} of them with a sentiment")

    def sizes() -> BertConfig:
        return BertConfig(
            vocab_size=len(tokenizer), hidden_size=args.channels, num_hidden_layers=args.layers,
            num_attention_heads=args.heads, intermediate_size=args.hidden, hidden_dropout_prob=args.dropout,
            attention_probs_dropout_prob=0.0, max_position_embeddings=args.max_length, initializer_range=0.05,
        )  # fmt: skip

    config = training.or_exit(sizes, "sizes")
    both = train(tuple(TASKS), config, parts, args, device)
    alone = [train((task,), config, parts, args, device) for task in TASKS]
    print(f"\n{'':14} {'bytes':>11} {'ms a text':>10} " + " ".join(f"{task:>10}" for task in TASKS))
    for name, models in (("one encoder", [both]), ("two encoders", alone)):
        accuracies: dict[str, float] = {}
        for model in models:
            accuracies.update(evaluate(model, parts[2])[1])
        size = sum(4 * p.numel() for model in models for p in model.parameters())
        shown = " ".join(f"{accuracies[task]:>10.2%}" for task in TASKS)
        print(f"{name:14} {size:>11,} {milliseconds([m.eval() for m in models], parts[2]):>10.2f} {shown}")
    print(f"saved in {args.out}: a folder for each of the three, with model.mg, loss.png and checkpoint.mg")


if __name__ == "__main__":
    main()
