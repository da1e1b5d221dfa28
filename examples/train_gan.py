"""Train a DCGAN: one network makes pictures, another tells them from real ones, and each learns from the other.

    python examples/train_gan.py                     clothes (Fashion-MNIST), about eight minutes on two cores
    python examples/train_gan.py --data digits       the digits that scikit-learn carries: no download
    python examples/train_gan.py --width 64          the paper's width: four times the work, better pictures
    python examples/train_gan.py --resume            go on where the last run stopped

Each epoch writes a grid of 16 pictures from the same noise to --out/epoch-NN.png, and prints what the discriminator
makes of real pictures, D(x), and of made ones, D(G(z)): 0.5 for both where it can no longer tell. The two losses say
little about how good the pictures are: look at them. Besides: model.mg, loss.png (both losses), checkpoint.mg. Ctrl-C
stops after the current step and saves.
"""

import argparse
import dataclasses
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import images
import training

import minigrad as mg
from models.gan import DCGAN, GANConfig


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_data_flag(p)
    p.add_argument("--width", type=int, default=32, help="channels of the largest maps (default: %(default)s)")
    p.add_argument("--noise", type=int, default=100, help="numbers that a picture is made of (default: %(default)s)")
    p.add_argument("--epochs", type=int, default=6, help="times through the pictures (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=128, help="real pictures a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=5e-4, help="learning rate of both (default: %(default)s)")
    p.add_argument("--beta1", type=float, default=0.5, help="momentum of Adam, as in the paper (default: %(default)s)")
    training.add_common_flags(p, out="runs/gan")
    args = p.parse_args()
    training.check_positive(p, args, "width", "noise", "epochs", "batch_size")
    images.check_shares(p, args, "beta1")
    return args


class Both:
    """Two optimizers that are saved as one."""

    def __init__(self, **optimizers: mg.optim.Optimizer):
        self.optimizers = optimizers

    def state_dict(self) -> dict:
        return {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}

    def load_state_dict(self, state: dict) -> None:
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    train, _ = training.or_exit(lambda: images.read(args.data, train=True), "--data")
    _, channels, size, _ = train.images.shape
    config = GANConfig(channels=channels, smallest=size // 4, noise=args.noise, width=args.width)
    model = DCGAN(config).to(device)
    generator, discriminator = (
        mg.optim.Adam(part.parameters(), lr=args.lr, betas=(args.beta1, 0.999))
        for part in (model.generator, model.discriminator)
    )
    sizes = [f"{sum(p.numel() for p in m.parameters()):,}" for m in (model.generator, model.discriminator)]
    print(f"{args.data}: {len(train):,} pictures; parameters: generator {sizes[0]}, discriminator {sizes[1]}")

    per_epoch = max(len(train) // args.batch_size, 1)
    both = Both(generator=generator, discriminator=discriminator)
    run = training.Run(args, args.epochs * per_epoch, model, both, generator_losses=[])
    for step in run:
        places = training.batch_at(step, len(train), args.batch_size, args.seed)
        real = train.pixels(places, device) * 2 - 1  # in [-1, 1], as tanh gives them
        fake = model.generator(model.draw(len(places)))

        loss = model.discriminator_loss(real, fake)
        discriminator.zero_grad()
        loss.backward()
        discriminator.step()

        generator_loss = model.generator_loss(fake)
        generator.zero_grad()
        generator_loss.backward()  # leaves gradients in the discriminator too, which the next step clears
        generator.step()

        run.kept["generator_losses"].append(generator_loss.item())
        run.record(step, loss.item(), generator=generator_loss.item())
        if run.due(step, per_epoch):
            epoch = (step + 1) // per_epoch
            pictures = model.sample(16, mg.Generator(device).manual_seed(0))
            shown = images.save_grid(os.path.join(args.out, f"epoch-{epoch:02d}.png"), pictures)
            run.board.picture(step + 1, "samples", shown)
            with mg.no_grad():
                on_real, on_fake = (mg.sigmoid(model.discriminator(x)).mean().item() for x in (real, fake))
            training.say(run.bar, f"epoch {epoch}: D(x) {on_real:.3f}, D(G(z)) {on_fake:.3f}")
            run.save()

    mg.save({"config": dataclasses.asdict(config), "state": model.state_dict()}, os.path.join(args.out, "model.mg"))
    picture = os.path.join(args.out, "loss.png")
    others = list(enumerate(training.running_mean(run.kept["generator_losses"]), 1))[:: max(run.total // 40, 1)]
    training.plot_losses(picture, f"DCGAN on {args.data}", "nats", run.losses, others, points="the generator's")
    print(f"saved in {args.out}: epoch-01.png to epoch-{args.epochs:02d}.png, model.mg, loss.png, checkpoint.mg")


if __name__ == "__main__":
    main()
