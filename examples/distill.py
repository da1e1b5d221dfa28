"""A large classifier teaches a small one: beside its labels, the small one learns the large one's probabilities.

    python examples/train_classifier.py --data chnsenticorp        writes runs/classifier/model, the teacher
    python examples/distill.py runs/classifier/model --data chnsenticorp

Two students of one size and seed are trained, one on the labels alone, one with the teacher:
loss = (1 - alpha) CE(labels) + alpha T^2 KL(teacher / T || student / T) (Hinton et al., 2015). The run ends with bytes,
accuracy on the test texts and the time of one text, of all three. Ctrl-C stops after the current step and saves;
--resume goes on with the student whose turn it was.
"""

import argparse
import copy
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import training
from train_classifier import Batches, evaluate, read_splits

import minigrad as mg
from minigrad.quantization import size_in_bytes
from minigrad.text import load_tokenizer
from minigrad.train import distillation_loss
from models.pretrained import load_model
from models.text_classifier import TextClassifier, TextClassifierConfig


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="of the teacher: a classifier that train_classifier.py saved")
    p.add_argument("--data", default="sst2", help="what it was trained on (default: %(default)s)")
    p.add_argument("--channels", type=int, default=16, help="of the student (default: %(default)s)")
    p.add_argument("--heads", type=int, default=2, help="of the student (default: %(default)s)")
    p.add_argument("--hidden", type=int, default=32, help="of the student (default: %(default)s)")
    p.add_argument("--dropout", type=float, default=0.1, help="of the student (default: %(default)s)")
    p.add_argument("--alpha", type=float, default=0.7, help="the teacher's share of the loss (default: %(default)s)")
    p.add_argument("--temperature", type=float, default=2.0, help="T (default: %(default)s)")
    p.add_argument("--epochs", type=int, default=4, help="times through the texts (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=32, help="texts a step (default: %(default)s)")
    p.add_argument("--max-length", type=int, default=256, help="words of a text that are read (default: %(default)s)")
    p.add_argument("--lr", type=float, default=3e-3, help="peak learning rate of AdamW (default: %(default)s)")
    training.add_common_flags(p, out="runs/distill")
    args = p.parse_args()
    training.check_positive(p, args, "channels", "heads", "hidden", "epochs", "batch_size", "max_length")
    if args.channels % args.heads:
        p.error(f"--channels ({args.channels}) must be a multiple of --heads ({args.heads})")
    if not 0 <= args.dropout < 1:
        p.error(f"--dropout must be in [0, 1), got {args.dropout}")
    if not 0 < args.alpha <= 1:
        p.error(f"--alpha must be in (0, 1], got {args.alpha}")
    if not 0 < args.temperature < 1000:
        p.error(f"--temperature must be above 0, got {args.temperature}")
    return args


def train_student(
    name: str, teacher: TextClassifier | None, config: TextClassifierConfig, train: Batches, held: Batches,
    args: argparse.Namespace, device: mg.device,
) -> TextClassifier:  # fmt: skip
    """A student taught by labels, and by a teacher where there is one."""
    args = copy.copy(args)
    args.out = os.path.join(args.out, name)
    args.resume = args.resume and os.path.exists(os.path.join(args.out, "checkpoint.mg"))
    mg.manual_seed(args.seed)
    student = TextClassifier(config).to(device)
    optimizer = mg.optim.AdamW(student.parameters(), lr=args.lr)
    steps = args.epochs * train.count
    print(f"\nthe student {name}: {sum(p.numel() for p in student.parameters()):,} parameters")
    run = training.Run(args, steps, student, optimizer)
    for step in run:
        rate = training.warm_up_and_decay(step, steps, args.lr, warmup=min(100, steps // 10 + 1), final=0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        tokens, mask, labels = train.at(step)
        logits, loss = student(tokens, mask, labels)
        if teacher is not None:
            with mg.no_grad():
                taught, _ = teacher(tokens, mask)
            loss = distillation_loss(logits, taught, labels, temperature=args.temperature, alpha=args.alpha)
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, train.count):
            held_loss, accuracy = evaluate(student, held)
            run.validated(step, held_loss, accuracy=accuracy)
    picture = os.path.join(args.out, "loss.png")
    training.plot_losses(picture, f"The student {name}", "nats a text", run.losses, run.validations)
    return student


@mg.no_grad()
def milliseconds(model: TextClassifier, batches: Batches) -> float:
    """The median time of one text alone, over fifty of them."""
    model.eval()
    times = []
    for i in range(min(51, len(batches.rows))):
        tokens, mask, _ = batches.of([i])
        start = time.perf_counter()
        model(tokens, mask)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times) * 1e3


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    splits, classes, _ = training.or_exit(lambda: read_splits(args.data, args.seed), "--data")
    teacher = training.or_exit(lambda: load_model(args.folder), "folder").to(device).eval()
    tokenizer = training.or_exit(lambda: load_tokenizer(args.folder), "folder")
    if not isinstance(teacher, TextClassifier) or teacher.config.classes != len(classes):
        sys.exit(
            f"folder: {args.folder} must hold a TextClassifier with a logit for each of the {len(classes)} classes"
        )
    tokenizer.model_max_length = args.max_length  # saved with it: a pipeline cuts texts where training did
    train, held, test = (Batches(splits[part], tokenizer, args, device) for part in splits)
    config = TextClassifierConfig(
        teacher.config.vocab_size, classes=len(classes), channels=args.channels, heads=args.heads, hidden=args.hidden,
        dropout=args.dropout, pooling=teacher.config.pooling,
    )  # fmt: skip
    models = {"teacher": teacher}
    for name, teaching in (("alone", None), ("taught", teacher)):
        models[name] = train_student(name, teaching, config, train, held, args, device)
        models[name].eval().save(os.path.join(args.out, name, "model"), tokenizer, labels=classes)
    print(f"\n{'':8} {'bytes':>11} {'test accuracy':>14} {'ms a text':>10}")
    for name, model in models.items():
        _, accuracy = evaluate(model, test)
        print(f"{name:8} {size_in_bytes(model):>11,} {accuracy:>14.2%} {milliseconds(model, test):>10.2f}")
    print(f"saved in {args.out}: alone/ and taught/, each with model/, loss.png and checkpoint.mg")


if __name__ == "__main__":
    main()
