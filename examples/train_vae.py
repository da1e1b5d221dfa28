"""Train a variational autoencoder: pictures into twenty numbers and back, and new pictures from random numbers.

    python examples/train_vae.py                     clothes (Fashion-MNIST), a few minutes on two cores
    python examples/train_vae.py --data digits       the digits that scikit-learn carries: no download
    python examples/train_vae.py --latent 2          so few numbers that all pictures lie in a plane
    python examples/train_vae.py --resume            go on where the last run stopped

What is minimised is - ELBO in nats a picture: how badly the decoder says the pixels, plus how far the encoder's
distributions are from N(0, 1). --beta weighs the second. Each epoch ends with its value on test pictures, and with
three grids in --out: samples.png (new ones), again.png (test pictures, each above what came back of it), between.png
(from one test picture to another, half way through the codes). Besides: model.mg, loss.png, checkpoint.mg. Ctrl-C stops
after the current step and saves.
"""

import argparse
import dataclasses
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import images
import training
from images import Part

import minigrad as mg
from models.vae import VAE, VAEConfig


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_data_flag(p)
    p.add_argument("--latent", type=int, default=20, help="numbers in a code (default: %(default)s)")
    p.add_argument("--hidden", type=int, default=256, help="units of the dense layers (default: %(default)s)")
    p.add_argument("--beta", type=float, default=1.0, help="weight of the KL term (default: %(default)s)")
    p.add_argument("--epochs", type=int, default=6, help="times through the pictures (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=128, help="pictures a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=2e-3, help="peak learning rate of Adam (default: %(default)s)")
    training.add_common_flags(p, out="runs/vae")
    args = p.parse_args()
    training.check_positive(p, args, "latent", "hidden", "epochs", "batch_size")
    if args.beta < 0:
        p.error(f"--beta must not be negative, got {args.beta}")
    return args


@mg.no_grad()
def evaluate(model: VAE, test: Part, device: mg.device) -> tuple[float, float, float]:
    """- ELBO and its two terms, nats a picture, with the same noise each time."""
    state = mg.get_rng_state()
    mg.manual_seed(0)
    model.eval()
    sums = [0.0, 0.0, 0.0]
    for start in range(0, len(test), 250):
        x = test.pixels(slice(start, start + 250), device)
        for i, value in enumerate(model.loss(x)):
            sums[i] += value.item() * len(x)
    model.train()
    mg.set_rng_state(state)
    return tuple(s / len(test) for s in sums)  # type: ignore


@mg.no_grad()
def grids(model: VAE, test: Part, device: mg.device, out: str) -> mg.Tensor:
    """Write the three grids, with the same codes and test pictures each time; gives the new pictures back."""
    new = model.sample(16, mg.Generator(device).manual_seed(0))
    shown = images.save_grid(os.path.join(out, "samples.png"), new)
    x = test.pixels(slice(16), device)
    mean, _ = model.encoder(x)
    back = mg.sigmoid(model.decoder(mean))
    pairs = mg.stack((x.reshape(2, 8, *x.shape[1:]), back.reshape(2, 8, *x.shape[1:])), 1)  # (2, 2, 8, C, H, W)
    images.save_grid(os.path.join(out, "again.png"), pairs.reshape(32, *x.shape[1:]), columns=8)
    share = mg.linspace(0, 1, 8, device=device).view(1, 8, 1)
    codes = (1 - share) * mean[0:8:2, None] + share * mean[1:9:2, None]  # (4, 8, Z): four ways, eight places on each
    between = mg.sigmoid(model.decoder(codes.reshape(32, -1)))
    images.save_grid(os.path.join(out, "between.png"), between, columns=8)
    return shown


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    train, _ = training.or_exit(lambda: images.read(args.data, train=True), "--data")
    test, _ = training.or_exit(lambda: images.read(args.data, train=False), "--data")
    _, channels, size, _ = train.images.shape
    config = VAEConfig(in_channels=channels, image_size=size, hidden=args.hidden, latent=args.latent)
    model = training.or_exit(lambda: VAE(config), "sizes").to(device)
    optimizer = mg.optim.Adam(model.parameters(), lr=args.lr)
    print(
        f"{args.data}: {len(train):,} pictures to learn from, {len(test):,} to test; an autoencoder of "
        f"{sum(p.numel() for p in model.parameters()):,} parameters on {device}"
    )

    per_epoch = max(len(train) // args.batch_size, 1)
    steps = args.epochs * per_epoch
    run = training.Run(args, steps, model, optimizer)
    for step in run:
        rate = training.warm_up_and_decay(step, steps, args.lr, warmup=min(100, steps // 10), final=0.05)
        images.set_rate(optimizer, rate)
        x = train.pixels(training.batch_at(step, len(train), args.batch_size, args.seed), device)
        _, reconstruction, kl = model.loss(x)
        loss = reconstruction + args.beta * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.record(step, loss.item(), reconstruction=reconstruction.item(), kl=kl.item(), lr=rate)
        if run.due(step, per_epoch):
            run.board.picture(step + 1, "samples", grids(model, test, device, args.out))
            whole, reconstruction, kl = evaluate(model, test, device)
            run.validated(step, whole, reconstruction=reconstruction, kl=kl)

    print(f"test: - ELBO {run.validations[-1][1]:.2f} nats a picture (an upper bound of - log p)")
    mg.save({"config": dataclasses.asdict(config), "state": model.state_dict()}, os.path.join(args.out, "model.mg"))
    title = f"A variational autoencoder on {args.data}"
    training.plot_losses(os.path.join(args.out, "loss.png"), title, "- ELBO (nats)", run.losses, run.validations)
    print(f"saved in {args.out}: samples.png, again.png, between.png, model.mg, loss.png, checkpoint.mg")


if __name__ == "__main__":
    main()
