"""Train a multilayer perceptron, 784-500-10, to read handwritten digits.

    python examples/train_mlp.py --data digits   1,797 small digits that scikit-learn carries: no download
    python examples/train_mlp.py                 MNIST: 60,000 digits of 28 x 28 pixels (11 MB, fetched once)
    python examples/train_mlp.py --resume        go on where the last run stopped

ReLU, cross-entropy, Adam. Each epoch ends with the accuracy on held-out images; `loss.png` and the checkpoint are in
--out. Ctrl-C stops after the current step and saves.
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import training

import minigrad as mg
from minigrad import data
from minigrad.nn import functional as F
from models.mlp import MLP


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="mnist", choices=("mnist", "fashion", "digits"), help="(default: %(default)s)")
    p.add_argument("--epochs", type=int, default=5, help="passes over the training images (default: %(default)s)")
    p.add_argument("--hidden", type=int, default=500, help="hidden units (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=64, help="images a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=1e-3, help="Adam's learning rate (default: %(default)s)")
    training.add_common_flags(p, out="runs/mlp", seed=0)
    training.add_capture_flag(p)
    args = p.parse_args()
    training.check_positive(p, args, "epochs", "hidden", "batch_size")
    return args


def read(name: str, device: mg.device) -> tuple[data.TensorDataset, data.TensorDataset, int]:
    """(training set, test set, pixels an image), as float images in [0, 1] and integer labels."""
    reader = {"mnist": data.MNIST, "fashion": data.FashionMNIST, "digits": data.Digits}[name]
    parts = []
    for train in (True, False):
        images = reader(train)
        parts.append(
            data.TensorDataset(mg.tensor(images.pixels(), device=device), mg.tensor(images.labels, device=device))
        )
    return parts[0], parts[1], parts[0].tensors[0][0].numel()


@mg.no_grad()
def accuracy(model: MLP, test: data.TensorDataset) -> float:
    model.eval()
    right = 0
    for images, labels in data.DataLoader(test, batch_size=1000):
        right += (model(images).argmax(dim=1) == labels).sum().item()
    model.train()
    return right / len(test)


def main() -> None:
    args = arguments()
    path = os.path.join(args.out, "checkpoint.mg")
    settings = {k: v for k, v in vars(args).items() if k not in training.NOT_SAVED}
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    train, test, pixels = training.or_exit(lambda: read(args.data, device), "--data")
    mg.manual_seed(args.seed)
    model = MLP((pixels, args.hidden, 10)).to(device)
    optimizer = mg.optim.Adam(model.parameters(), lr=args.lr)
    print(f"{args.data}: {len(train):,} images to learn from, {len(test):,} held out; {model}")

    losses: list[float] = []  # one a step
    results: list[tuple[int, float]] = []  # (step, accuracy on the test images), one an epoch
    loader = data.DataLoader(train, batch_size=args.batch_size, shuffle=True)
    if args.resume:
        checkpoint = training.load_checkpoint(path)
        training.refuse_changes(settings, checkpoint["settings"], [k for k in settings if k != "epochs"])
        training.restore(checkpoint, model, optimizer)
        losses, results = checkpoint["losses"], checkpoint["results"]
        print(f"resumed from {path} after step {len(losses)}")
    # The order of an epoch is drawn when it begins: a run stopped inside one has to draw that order again.
    order_state = checkpoint["order_state"] if args.resume else None

    def learn(images: mg.Tensor, labels: mg.Tensor) -> mg.Tensor:
        loss = F.cross_entropy(model(images), labels)  # (B, 10), (B,)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    train_step = mg.graphs.captured(learn, model, optimizer) if args.capture else learn

    def save() -> None:
        training.save_checkpoint(
            path, model, optimizer, settings=settings, losses=losses, results=results, order_state=order_state
        )

    board = training.Board(args.tensorboard)
    started, best = time.perf_counter(), max((a for _, a in results), default=0.0)
    total = args.epochs * len(loader)
    with training.Interrupt() as stop, training.progress(total, len(losses), "step", "training") as bar:
        for epoch in range(len(losses) // len(loader), args.epochs):
            done = len(losses) - epoch * len(loader)  # steps of this epoch that a resumed run has behind it
            if done:
                mg.set_rng_state(order_state)
            order_state = mg.get_rng_state()
            for step, (images, labels) in enumerate(loader):
                if step < done:
                    continue
                losses.append(train_step(images, labels).item())
                training.stop_on_bad_loss(losses[-1], len(losses), path)
                if args.print_losses:
                    training.say(bar, f"loss {len(losses)} {losses[-1]!r}")
                board.scalars(len(losses), loss=losses[-1], lr=args.lr)
                bar.update()
                speed = (bar.format_dict["rate"] or 0) * args.batch_size
                bar.set_postfix_str(f"loss {losses[-1]:.3f}, {speed:,.0f} images/s", refresh=False)
                if stop:
                    break
            if len(losses) == (epoch + 1) * len(loader):
                results.append((len(losses), accuracy(model, test)))
                best = max(best, results[-1][1])
                board.scalars(len(losses), test_accuracy=results[-1][1])
                board.histograms(len(losses), model)
                training.say(bar, f"epoch {epoch + 1}: test accuracy {results[-1][1]:.2%}")
            save()
            if stop and len(losses) < total:
                break
    board.close()
    if len(losses) < total:
        print(f"\nstopped after step {len(losses)}; saved to {path}. To go on, run the same command with --resume")
        sys.exit(130)
    picture, title = os.path.join(args.out, "loss.png"), f"A {pixels}-{args.hidden}-10 perceptron on {args.data}"
    training.plot_losses(picture, title, "cross-entropy", losses, [])
    print(f"test accuracy {results[-1][1]:.2%} (best {best:.2%}), trained for {time.perf_counter() - started:.0f} s")
    print(f"saved in {args.out}: checkpoint.mg, loss.png")


if __name__ == "__main__":
    main()
