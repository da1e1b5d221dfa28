"""Fine-tune a BERT to tell what a text says: from what pretrain_bert.py wrote, or from any BERT's folder.

    python examples/pretrain_bert.py                             writes runs/pretrain/model
    python examples/finetune_bert.py runs/pretrain/model         Chinese reviews of hotels and books: good or bad
    python examples/finetune_bert.py bert-base-uncased/ --data sst2 --lr 2e-5 --head-lr 2e-5 --batch-size 16
    python examples/finetune_bert.py FOLDER --data FILE.tsv      a table of yours: label<TAB>text, so its first line
    python examples/finetune_bert.py FOLDER --lora 4             train small matrices beside the frozen weights alone
    python examples/finetune_bert.py FOLDER --freeze 1           keep the embeddings and the first layer as they are
    python examples/finetune_bert.py FOLDER --resume             go on where the last run stopped

The encoder and the new head have learning rates of their own. Each epoch prints loss and accuracy on validation data;
the run ends with the epoch that was best there (early, after --patience epochs without a better one), and with
accuracy, precision, recall and F1 on the test data, before and after. In --out: model/ (what `minigrad.pipeline` and
serve.py read; adapters are merged into it), adapters.lora (with --lora: all that was trained), confusion.png, loss.png,
checkpoint.mg. Ctrl-C stops after the current step and saves.
"""

import argparse
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import numpy as np
import training
from train_classifier import Batches, read_splits

import minigrad as mg
from minigrad import lora
from minigrad.metrics import F1, ConfusionMatrix, Precision, Recall
from minigrad.text import load_tokenizer
from models.bert import BertForSequenceClassification

NEW = ("bert.pooler.dense", "classifier")  # what stands between the encoder and the answer


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="of a BERT, with its tokenizer")
    p.add_argument("--data", default="chnsenticorp", help="chnsenticorp, sst2, imdb, or a file (default: %(default)s)")
    p.add_argument("--lora", type=int, metavar="RANK", default=0, help="train adapters of this rank and the head alone")
    p.add_argument("--lora-alpha", type=float, metavar="A", help="adapters count A / RANK times (default: 2 RANK)")
    p.add_argument("--freeze", type=int, metavar="N", help="keep the embeddings and the first N layers as they are")
    p.add_argument("--epochs", type=int, help="times through the texts (default: 4, of adapters 8)")
    p.add_argument("--batch-size", type=int, default=32, help="texts a step (default: %(default)s)")
    p.add_argument("--max-length", type=int, help="tokens of a text; the rest is cut (default: the model's context)")
    p.add_argument("--lr", type=float, help="peak learning rate of the encoder (default: 3e-4, of adapters 2e-3)")
    p.add_argument("--head-lr", type=float, default=1e-3, help="peak learning rate of the head (default: %(default)s)")
    p.add_argument("--dropout", type=float, help="in the encoder and its head (default: 0.2, with adapters 0.1)")
    p.add_argument("--weight-decay", type=float, default=0.01, help="of matrices (default: %(default)s)")
    p.add_argument("--class-weights", action="store_true", help="let rare classes count as much as frequent ones")
    p.add_argument("--patience", type=int, default=2, help="epochs to wait for a better one (default: %(default)s)")
    training.add_common_flags(p, out="runs/finetune")
    args = p.parse_args()
    for name, whole, adapters in (("epochs", 4, 8), ("lr", 3e-4, 2e-3), ("dropout", 0.2, 0.1)):
        if getattr(args, name) is None:
            setattr(args, name, adapters if args.lora else whole)
    training.check_positive(p, args, "epochs", "batch_size", "patience")
    if args.lora < 0 or (args.lora and args.freeze is not None):
        p.error("--lora RANK is at least 1, and freezes all else: leave --freeze out")
    if args.freeze is not None and args.freeze < 0:
        p.error(f"--freeze must not be negative, got {args.freeze}")
    if not 0 <= args.dropout < 1:
        p.error(f"--dropout must be in [0, 1), got {args.dropout}")
    args.lora_alpha = args.lora_alpha or 2.0 * args.lora
    return args


def load(args: argparse.Namespace, classes: list[str]) -> BertForSequenceClassification:
    """The BERT of the folder with a head for the classes, fresh where the folder has none."""
    return BertForSequenceClassification.load(
        args.folder, num_labels=len(classes), hidden_dropout_prob=args.dropout,
        attention_probs_dropout_prob=args.dropout,
    )  # fmt: skip


def choose_what_trains(model: BertForSequenceClassification, args: argparse.Namespace) -> str:
    """Freeze what the flags say, or put adapters in; a sentence about it."""
    if args.lora:
        # The head is new. The pooler has learnt to compare passages, so it gets an adapter like all others.
        return str(lora.inject_lora(
            model, args.lora, args.lora_alpha, also_train=["classifier"],
            targets=lambda name: name != "classifier",
        ))  # fmt: skip
    if args.freeze is not None:
        layers = model.bert.encoder.layer
        if args.freeze > len(layers):
            raise ValueError(f"the model has {len(layers)} layers, {args.freeze} were to be frozen")
        for part in (model.bert.embeddings, *layers[: args.freeze]):
            part.requires_grad_(False)
    trained, total = trained_of(model), sum(p.numel() for p in model.parameters())
    return f"{trained:,} of {total:,} parameters train ({100 * trained / total:.2f} %)"


def trained_of(model: mg.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def optimizer_for(model: BertForSequenceClassification, args: argparse.Namespace) -> mg.optim.Optimizer:
    """AdamW with four groups: the encoder and the head, each in matrices, which decay, and vectors, which do not."""
    groups: dict[tuple[bool, bool], list[mg.Tensor]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            groups.setdefault((name.startswith(NEW) and "lora" not in name, p.ndim > 1), []).append(p)
    return mg.optim.AdamW([
        {"params": params, "lr": args.head_lr if new else args.lr, "peak": args.head_lr if new else args.lr,
         "weight_decay": args.weight_decay if matrices else 0.0}
        for (new, matrices), params in groups.items()
    ])  # fmt: skip


class Figures:
    """What is measured on a part of the data: the mean loss, and which classes were taken for which."""

    def __init__(self, classes: list[str]):
        self.classes, self.loss = classes, 0.0
        self.confusion = ConfusionMatrix(len(classes))
        self.each = [metric(None, len(classes)) for metric in (Precision, Recall, F1)]

    def update(self, logits: mg.Tensor, labels: mg.Tensor, loss: mg.Tensor) -> None:
        self.loss += loss.item() * len(labels)
        for metric in (self.confusion, *self.each):
            metric.update(logits, labels)

    @property
    def mean_loss(self) -> float:
        return self.loss / self.confusion.count

    @property
    def accuracy(self) -> float:
        return float(self.confusion.compute().trace() / self.confusion.count)

    def __str__(self) -> str:
        """A table of precision, recall and F1 of each class, and their means over the classes."""
        columns = {type(metric).__name__.lower(): metric.compute() for metric in self.each}
        names, counts = [*self.classes, "mean"], [*self.confusion.compute().sum(axis=1), self.confusion.count]
        width = max(map(len, names))
        lines = [" " * width + "".join(f"{name:>11}" for name in columns) + f"{'texts':>9}"]
        for i, name in enumerate(names):
            row = [values[i] if i < len(values) else values.mean() for values in columns.values()]
            lines.append(f"{name:{width}}" + "".join(f"{value:>11.2%}" for value in row) + f"{counts[i]:>9,}")
        return "\n".join(lines)


@mg.no_grad()
def evaluate(model: BertForSequenceClassification, batches: Batches, classes: list[str]) -> Figures:
    """The figures of all texts."""
    model.eval()
    order = np.argsort([len(row) for row in batches.rows], kind="stable")
    figures = Figures(classes)
    for start in range(0, len(order), 64):
        tokens, mask, labels = batches.of(order[start : start + 64])
        logits, loss = model(tokens, mask, None, labels)
        figures.update(logits, labels, loss)
    model.train()
    return figures


@mg.no_grad()
def milliseconds(model: BertForSequenceClassification, batches: Batches) -> float:
    """The median time of one text alone, over thirty of them."""
    model.eval()
    times = []
    for i in range(min(31, len(batches.rows))):
        tokens, mask, _ = batches.of([i])
        start = time.perf_counter()
        model(tokens, mask)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times) * 1e3


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)

    splits, classes, _ = training.or_exit(lambda: read_splits(args.data, args.seed), "--data")
    model = training.or_exit(lambda: load(args, classes), "folder").to(device)
    tokenizer = training.or_exit(lambda: load_tokenizer(args.folder), "folder")
    if len(tokenizer) > model.config.vocab_size:
        sys.exit(
            f"folder: the tokenizer knows {len(tokenizer)} tokens, the embedding has {model.config.vocab_size} rows"
        )
    if None in (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id):
        sys.exit(
            f"folder: the tokenizer in {args.folder} lacks a token of [CLS], [SEP], [PAD], [UNK], which BERT needs"
        )
    args.max_length = min(args.max_length or model.config.max_position_embeddings, model.config.max_position_embeddings)
    tokenizer.model_max_length = args.max_length  # saved with it: a pipeline cuts texts where training did
    train, validation, test = (Batches(splits[name], tokenizer, args, device) for name in splits)
    print(f"{args.data}: {', '.join(f'{len(part[0]):,} {name}' for name, part in splits.items())} texts")
    print(f"fresh: {', '.join(model.fresh) or 'nothing'}")
    print(training.or_exit(lambda: choose_what_trains(model, args), "--lora" if args.lora else "--freeze"))
    optimizer = optimizer_for(model, args)
    weight = class_weights(splits["train"][1], len(classes), device) if args.class_weights else None

    before = evaluate(model, test, classes).accuracy
    steps = args.epochs * train.count
    stopping = mg.train.EarlyStopping(args.patience, "max")
    run = training.Run(args, steps, model, optimizer, stopping=stopping.state_dict(), best=None, before=before)
    stopping.load_state_dict(run.kept["stopping"])
    model.train()
    for step in run:
        share = training.warm_up_and_decay(step, steps, 1.0, warmup=steps // 10, final=0.02)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        tokens, mask, labels = train.at(step)
        logits, loss = model(tokens, mask, None, labels, weight)
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        accuracy = (logits.argmax(1) == labels).float().mean().item()
        run.record(step, loss.item(), accuracy=accuracy, lr=args.lr * share, gradient_norm=float(norm))
        if run.due(step, train.count):
            held = evaluate(model, validation, classes)
            late = stopping.step(held.accuracy)
            if stopping.improved:
                run.kept["best"] = {name: t.clone() for name, t in model.state_dict().items()}
            run.kept["stopping"] = stopping.state_dict()
            if late:
                run.finish()
            run.validated(step, held.mean_loss, accuracy=held.accuracy)

    model.load_state_dict(run.kept["best"])
    found = evaluate(model, test, classes)
    print(f"test: accuracy {run.kept['before']:.2%} before, {found.accuracy:.2%} after, loss {found.mean_loss:.4f}, of "
          f"{len(test.rows):,} texts, with the epoch best in validation ({stopping.best:.2%})\n{found}")  # fmt: skip
    found.confusion.picture(os.path.join(args.out, "confusion.png"), classes)
    written = "model/, confusion.png, loss.png, checkpoint.mg"
    if args.lora:
        written = "adapters.lora, " + written
        merge(model, test, os.path.join(args.out, "adapters.lora"))
    model.eval().save(os.path.join(args.out, "model"), tokenizer, labels=classes)
    title = f"{os.path.basename(os.path.abspath(args.folder))} fine-tuned on {args.data}"
    training.plot_losses(os.path.join(args.out, "loss.png"), title, "cross-entropy", run.losses, run.validations)
    print(f"saved in {args.out}: {written}")


def class_weights(labels: np.ndarray, classes: int, device: mg.device) -> mg.Tensor:
    """(K,): n / (K count), so that each class weighs the same in all, and the mean over the texts is 1."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    return mg.tensor(len(labels) / (classes * counts), dtype=mg.float32, device=device)


def merge(model: BertForSequenceClassification, test: Batches, path: str) -> None:
    """Save the adapters apart, put them into the weights, and say what that saves."""
    lora.save_lora(model, path)
    times: dict[str, list[float]] = {"apart": [], "merged": []}
    for _ in range(3):  # in turn: other programs may be running
        times["apart"].append(milliseconds(model, test))
        lora.merge_lora(model)
        times["merged"].append(milliseconds(model, test))
        lora.unmerge_lora(model)
    lora.merge_lora(model)
    lora.remove_lora(model)
    whole = sum(4 * p.numel() for p in model.parameters())
    print(f"adapters: {os.path.getsize(path):,} bytes beside {whole:,} of the model; a text takes "
          f"{min(times['apart']):.2f} ms, {min(times['merged']):.2f} with the adapters merged")  # fmt: skip


if __name__ == "__main__":
    main()
