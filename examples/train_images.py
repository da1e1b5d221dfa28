"""Train a network to tell what is in a picture: LeNet, a small VGG, a residual network, or a vision Transformer.

    python examples/train_images.py                              LeNet on Fashion-MNIST, about a minute
    python examples/train_images.py --model resnet               ResNet-20, about 15 minutes; --depth 32, 44, 56
    python examples/train_images.py --model vit                  a small vision Transformer, about 25 minutes
    python examples/train_images.py --data cifar10 --model resnet --crop 4 --cutout 8
    python examples/train_images.py --mixup 0.2 --label-smoothing 0.1 --rotate 10
    python examples/train_images.py --rare 0.05 --balance sampler     with half of the classes made rare
    python examples/train_images.py --resume                     go on where the last run stopped
    python examples/train_images.py --weights runs/images/model.mg            test what was saved
    python examples/train_images.py --data cifar10 --weights resnet20.pth     or a public CIFAR ResNet

A share of the training pictures is held out and never trained on; each epoch prints loss and accuracy on it, and the
epoch that was best there is tested, once, on the test pictures. Mean and deviation for the normalisation are those of
the pictures trained on. In --out: model.mg, which --weights reads, confusion.png, augmented.png (the first batch as
the network was given it), loss.png, checkpoint.mg. Ctrl-C stops after the current step and saves.
"""

import argparse
import dataclasses
import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import images
import numpy as np
import training
from images import Part

import minigrad as mg
from minigrad import data, nn
from minigrad.metrics import ConfusionMatrix
from minigrad.nn import functional as F
from minigrad.vision import augment, channel_statistics, mixing
from models.cnn import VGG, LeNet, LeNetConfig, ResNet, ResNetConfig, VGGConfig, cifar_resnet, load_cifar_resnet
from models.vit import ViT, ViTConfig

MODELS = {"lenet": (LeNet, LeNetConfig), "vgg": (VGG, VGGConfig), "resnet": (ResNet, ResNetConfig),
          "vit": (ViT, ViTConfig)}  # fmt: skip
RECIPES = {  # what each is trained with where the flags do not say otherwise
    "lenet": {"optimizer": "adamw", "epochs": 5, "lr": 3e-3, "weight_decay": 0.01, "crop": 0},
    "vgg": {"optimizer": "sgd", "epochs": 8, "lr": 0.05, "weight_decay": 5e-4, "crop": 2},
    "resnet": {"optimizer": "sgd", "epochs": 8, "lr": 0.1, "weight_decay": 5e-4, "crop": 2},
    "vit": {"optimizer": "adamw", "epochs": 30, "lr": 1e-3, "weight_decay": 0.05, "crop": 2},
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and std that public CIFAR ResNets expect: see
CIFAR = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))  # `load_cifar_resnet`
Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_data_flag(p)
    p.add_argument("--model", choices=MODELS, default="lenet", help="(default: %(default)s)")
    p.add_argument("--depth", type=int, default=20, help="of the ResNet: 6 n + 2 (default: %(default)s)")
    p.add_argument("--epochs", type=int, help="times through the pictures (default: lenet 5, others 8)")
    p.add_argument("--batch-size", type=int, default=128, help="pictures a step (default: %(default)s)")
    p.add_argument("--optimizer", choices=("adamw", "sgd"), help="sgd has Nesterov momentum 0.9 (default: by model)")
    p.add_argument("--lr", type=float, help="peak learning rate (default: by model)")
    p.add_argument("--weight-decay", type=float, help="(default: by model)")
    p.add_argument("--validation", type=float, default=0.1, help="share that is held out (default: %(default)s)")
    p.add_argument("--crop", type=int, metavar="PIXELS", help="shift by up to as many (default: lenet 0, others 2)")
    p.add_argument("--flip", action=argparse.BooleanOptionalAction, help="left for right (default: not for digits)")
    p.add_argument("--rotate", type=float, default=0.0, metavar="DEGREES", help="turn by up to as many")
    p.add_argument("--cutout", type=int, default=0, metavar="PIXELS", help="black out a square of this side")
    p.add_argument("--mixup", type=float, default=0.0, metavar="ALPHA", help="blend pairs, share from Beta(alpha)")
    p.add_argument("--cutmix", type=float, default=0.0, metavar="ALPHA", help="put a part of one into the other")
    p.add_argument("--label-smoothing", type=float, default=0.0, help="probability given away (default: %(default)s)")
    p.add_argument("--balance", choices=("none", "sampler", "weights"), default="none", help="let rare classes count "
                   "as much: drawn more often, or with larger weight in the loss (default: %(default)s)")  # fmt: skip
    p.add_argument("--rare", type=float, default=1.0, metavar="SHARE", help="train on this share of each odd class")
    p.add_argument("--weights", metavar="FILE", help="train nothing: test these weights on --data")
    training.add_common_flags(p, out="runs/images")
    args = p.parse_args()
    for name, value in RECIPES[args.model].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.flip is None:
        args.flip = args.data in ("fashion", "cifar10")
    training.check_positive(p, args, "epochs", "batch_size", "depth")
    images.check_shares(p, args, "validation", "label_smoothing")
    for name in ("crop", "cutout", "rotate", "mixup", "cutmix"):
        if getattr(args, name) < 0:
            p.error(f"--{name} must not be negative, got {getattr(args, name)}")
    if not 0 < args.rare <= 1:
        p.error(f"--rare must be in (0, 1], got {args.rare}")
    return args


def build(args: argparse.Namespace, channels: int, size: int, classes: int) -> nn.Module:
    if args.model == "resnet":
        return cifar_resnet(args.depth, classes, in_channels=channels)
    if args.model == "lenet":  # with more channels than in 1998
        return LeNet(LeNetConfig(channels, size, channels=(16, 32), num_classes=classes))
    if args.model == "vgg":
        return VGG(VGGConfig(in_channels=channels, image_size=size, num_classes=classes))
    config = ViTConfig(
        image_size=size, patch_size=4, num_channels=channels, hidden_size=96, num_hidden_layers=4,
        num_attention_heads=4, intermediate_size=192, num_labels=classes,
    )  # fmt: skip
    return ViT(config)


def optimizer_of(model: nn.Module, args: argparse.Namespace) -> mg.optim.Optimizer:
    """Matrices and kernels decay; biases, norms and other vectors do not."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": args.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if args.optimizer == "sgd":
        return mg.optim.SGD(groups, lr=args.lr, momentum=0.9, nesterov=True)
    return mg.optim.AdamW(groups, lr=args.lr)


class Batches:
    """Augmented, normalised batches of the training pictures; which pictures a step has depends on step and seed."""

    def __init__(self, part: Part, args: argparse.Namespace, statistics: Statistics, classes: int, device: mg.device):
        self.part, self.args, self.statistics, self.classes, self.device = part, args, statistics, classes, device
        self.count = max(len(part) // args.batch_size, 1)  # batches an epoch
        self.share = class_shares(part.labels, classes)
        self.epoch = -1

    def places(self, step: int) -> np.ndarray:
        args, count = self.args, len(self.part)
        if args.balance != "sampler":
            return training.batch_at(step, count, args.batch_size, args.seed)
        epoch, place = divmod(step, self.count)
        if epoch != self.epoch:  # each class as likely as each other one; a picture may come twice
            generator = mg.Generator().manual_seed(args.seed * 100_003 + epoch)
            sampler = data.WeightedRandomSampler((1 / self.share)[self.part.labels], count, generator=generator)
            self.order, self.epoch = np.array(list(sampler)), epoch
        return self.order[place * args.batch_size : (place + 1) * args.batch_size]

    def at(self, step: int) -> tuple[mg.Tensor, mg.Tensor]:
        """Pictures (B, C, H, W), and their classes (B,) or, where pictures are mixed, probabilities (B, K)."""
        args, places = self.args, self.places(step)
        x, labels = self.part.images[places], mg.tensor(self.part.labels[places], device=self.device)
        if args.crop:
            x = augment.random_crop(x, padding=args.crop)
        if args.flip:
            x = augment.random_horizontal_flip(x)
        if args.rotate:
            x = augment.random_rotation(x, args.rotate, interpolation="bilinear")
        if args.cutout:
            x = augment.cutout(x, args.cutout)
        pixels = normalised(x, self.statistics, self.device)
        ways = [f for f, alpha in ((mixing.mixup, args.mixup), (mixing.cutmix, args.cutmix)) if alpha]
        if not ways:
            return pixels, labels
        way = ways[int(mg.randint(len(ways), (1,)))] if len(ways) > 1 else ways[0]  # where both are asked for, one
        return way(pixels, labels, self.classes, args.mixup if way is mixing.mixup else args.cutmix)


def class_shares(labels: np.ndarray, classes: int) -> np.ndarray:
    """(K,): how often each class is met, times K: 1 for a class with as many pictures as the average one."""
    return np.maximum(np.bincount(labels, minlength=classes), 1) * classes / len(labels)


def normalised(x: np.ndarray, statistics: Statistics, device: mg.device) -> mg.Tensor:
    """uint8 (N, C, H, W) to floats of mean 0 and deviation 1 in each channel."""
    mean, std = (np.array(s, np.float32)[:, None, None] for s in statistics)
    return mg.tensor((np.divide(x, 255, dtype=np.float32) - mean) / std, device=device)


@mg.no_grad()
def evaluate(
    model: nn.Module, part: Part, statistics: Statistics, classes: int, device: mg.device
) -> tuple[float, float, ConfusionMatrix]:
    """(mean loss, accuracy, which classes were taken for which) over all pictures of a part."""
    model.eval()
    confusion, loss = ConfusionMatrix(classes), 0.0
    for start in range(0, len(part), 250):
        labels = mg.tensor(part.labels[start : start + 250], device=device)
        logits = model(normalised(part.images[start : start + 250], statistics, device))
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        confusion.update(logits, labels)
    model.train()
    return loss / len(part), confusion.compute().trace() / len(part), confusion


def save_model(path: str, model: nn.Module, kind: str, statistics: Statistics, classes: list[str]) -> None:
    """All that is needed to use the model: its kind and sizes, weights, normalisation, names of classes."""
    config = dataclasses.asdict(model.config)
    mean, std = statistics
    mg.save(
        {"kind": kind, "config": config, "state": model.state_dict(), "mean": mean, "std": std, "classes": classes},
        path,
    )


def load_model(path: str) -> tuple[nn.Module, Statistics]:
    """A model that `save_model` wrote (.mg), or a public CIFAR ResNet (.pth, .th, .pt, .safetensors)."""
    if not path.endswith(".mg"):
        model = load_cifar_resnet(path)
        return model, IMAGENET if model.config.shortcut == "A" else CIFAR
    saved = mg.load(path)
    if not isinstance(saved, dict) or saved.get("kind") not in MODELS:
        raise ValueError(f"{path} is no model that this script saved; a run's is model.mg in its folder --out")
    cls, config = MODELS[saved["kind"]]
    model = cls(config(**saved["config"]))
    model.load_state_dict(saved["state"])
    return model, (tuple(saved["mean"]), tuple(saved["std"]))


def test_weights(args: argparse.Namespace, device: mg.device) -> None:
    """--weights: the accuracy of saved weights on the test pictures."""
    model, statistics = training.or_exit(lambda: load_model(args.weights), "--weights")
    part, classes = training.or_exit(lambda: images.read(args.data, train=False), "--data")
    config, (_, channels, size, _) = model.config, part.images.shape
    wants = getattr(config, "in_channels", None) or config.num_channels
    known = getattr(config, "num_classes", None) or config.num_labels
    if (wants, known) != (channels, len(classes)) or getattr(config, "image_size", size) != size:
        sys.exit(
            f"--weights: {args.weights} tells {known} classes of pictures with {wants} channels"
            f"{f' and {config.image_size} pixels a side' if hasattr(config, 'image_size') else ''}; --data {args.data} "
            f"has {len(classes)} classes, {channels} channels, {size} pixels"
        )
    report(args, model.to(device), part, statistics, classes, device, f"{args.weights} on {args.data}")


def report(args: Any, model: nn.Module, test: Part, statistics: Statistics, classes: list[str], device: Any,
           of: str) -> None:  # fmt: skip
    loss, accuracy, confusion = evaluate(model, test, statistics, len(classes), device)
    matrix = confusion.compute()
    recall = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    worst = int(recall.argmin())
    print(f"test: loss {loss:.4f}, accuracy {accuracy:.2%} of {len(test):,} pictures, {of}")
    print(f"each class counted alike {recall.mean():.2%}; least often found: {classes[worst]}, {recall[worst]:.1%}")
    os.makedirs(args.out, exist_ok=True)
    confusion.picture(os.path.join(args.out, "confusion.png"), classes)


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    if args.weights:
        return test_weights(args, device)

    splits, classes = training.or_exit(lambda: images.read_splits(args.data, args.validation, args.seed), "--data")
    train, validation, test = splits.values()
    if args.rare < 1:
        rng = np.random.default_rng(args.seed)
        train = train.taken(np.flatnonzero((train.labels % 2 == 0) | (rng.random(len(train)) < args.rare)))
    statistics = channel_statistics(train.images)
    batches = Batches(train, args, statistics, len(classes), device)
    _, channels, size, _ = train.images.shape
    model = training.or_exit(lambda: build(args, channels, size, len(classes)), "--model").to(device)
    optimizer = optimizer_of(model, args)
    print(
        f"{args.data}: {len(train):,} pictures to learn from, {len(validation):,} held out, {len(test):,} to test; "
        f"{args.model} of {sum(p.numel() for p in model.parameters()):,} parameters on {device}"
    )
    weight = mg.tensor(1 / batches.share, dtype=mg.float32, device=device) if args.balance == "weights" else None

    steps = args.epochs * batches.count
    run = training.Run(args, steps, model, optimizer, best=None, accuracy=-1.0)
    for step in run:
        rate = training.warm_up_and_decay(step, steps, args.lr, warmup=min(steps // 10, batches.count), final=0.01)
        x, labels = batches.at(step)
        if step == 0:
            shown = images.save_grid(os.path.join(args.out, "augmented.png"), shown_again(x[:32], statistics), 8)
            run.board.picture(1, "augmented", shown)
        images.set_rate(optimizer, rate)
        logits = model(x)
        loss = F.cross_entropy(logits, labels, weight, label_smoothing=args.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        likeliest = labels if labels.ndim == 1 else labels.argmax(1)
        run.record(step, loss.item(), accuracy=(logits.argmax(1) == likeliest).float().mean().item(), lr=rate)
        if run.due(step, batches.count):
            held_loss, accuracy, _ = evaluate(model, validation, statistics, len(classes), device)
            if accuracy > run.kept["accuracy"]:
                best = {name: t.clone() for name, t in model.state_dict().items()}
                run.kept.update(best=best, accuracy=float(accuracy))
            run.validated(step, held_loss, accuracy=accuracy)

    model.load_state_dict(run.kept["best"])
    best = f"with the epoch best in validation ({run.kept['accuracy']:.2%})"
    report(args, model, test, statistics, classes, device, best)
    save_model(os.path.join(args.out, "model.mg"), model, args.model, statistics, classes)
    title = f"{args.model} on {args.data}"
    training.plot_losses(os.path.join(args.out, "loss.png"), title, "cross-entropy", run.losses, run.validations)
    print(f"saved in {args.out}: model.mg, confusion.png, augmented.png, loss.png, checkpoint.mg")


def shown_again(x: mg.Tensor, statistics: Statistics) -> mg.Tensor:
    """Normalised pictures brought back to [0, 1]."""
    mean, std = (mg.tensor(s, device=x.device).view(-1, 1, 1) for s in statistics)
    return x * std + mean


if __name__ == "__main__":
    main()
