"""Train a small diffusion model (DDPM): a U-Net that takes noise away, and pictures that come out of nothing but noise.

    python examples/train_diffusion.py                  clothes (Fashion-MNIST), about 15 minutes on two cores
    python examples/train_diffusion.py --data digits    the digits that scikit-learn carries: no download
    python examples/train_diffusion.py --steps 8000    longer: sharper edges
    python examples/train_diffusion.py --resume         go on where the last run stopped

The loss is the mean squared error of the predicted noise, 1 for a network that predicts none. Pictures are made with a
running mean of the weights, in --sample-steps of the 1000 steps. Each validation writes a grid of 16 pictures to
--out/step-NNNNN.png, from the same noise each time; the end writes samples.png (64 pictures) and
few-steps.png (eight, made in 1, 2, 5, 10, 25 and --sample-steps steps: what each row adds). Besides: model.mg,
loss.png, checkpoint.mg. Ctrl-C stops after the current step and saves.
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
from minigrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from models.diffusion import Diffusion, DiffusionConfig

FREE = ("sample_steps",)  # a flag that a resumed run may change


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_data_flag(p)
    p.add_argument("--width", type=int, default=16, help="channels at full size: 8 n (default: %(default)s)")
    p.add_argument("--blocks", type=int, default=1, help="residual blocks at each size (default: %(default)s)")
    p.add_argument("--steps", type=int, default=2000, help="of training (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=64, help="pictures a step (default: %(default)s)")
    p.add_argument("--lr", type=float, default=2e-3, help="peak learning rate of AdamW (default: %(default)s)")
    p.add_argument("--decay", type=float, default=0.995, help="of the running mean of weights (default: %(default)s)")
    p.add_argument("--eval-every", type=int, default=500, help="steps between grids (default: %(default)s)")
    p.add_argument("--sample-steps", type=int, default=100, help="from noise to a picture (default: %(default)s)")
    training.add_common_flags(p, out="runs/diffusion")
    args = p.parse_args()
    training.check_positive(p, args, "width", "blocks", "steps", "batch_size", "eval_every", "sample_steps")
    images.check_shares(p, args, "decay")
    if args.sample_steps > DiffusionConfig.steps:
        p.error(f"--sample-steps must be at most {DiffusionConfig.steps}, got {args.sample_steps}")
    return args


@mg.no_grad()
def evaluate(model: Diffusion, test: Part, device: mg.device) -> float:
    """The loss on 500 test pictures, with the same times and noise each time."""
    state = mg.get_rng_state()
    mg.manual_seed(0)
    model.eval()
    count = min(len(test), 500)
    loss = sum(
        model.loss(test.pixels(places, device) * 2 - 1).item() * (places.stop - places.start)
        for places in (slice(start, min(start + 100, count)) for start in range(0, count, 100))
    )
    mg.set_rng_state(state)
    return loss / count


def sample(model: Diffusion, count: int, steps: int, device: mg.device) -> mg.Tensor:
    return model.sample(count, steps, mg.Generator(device).manual_seed(0))


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    mg.manual_seed(args.seed)
    train, _ = training.or_exit(lambda: images.read(args.data, train=True), "--data")
    test, _ = training.or_exit(lambda: images.read(args.data, train=False), "--data")
    _, channels, size, _ = train.images.shape
    config = training.or_exit(
        lambda: DiffusionConfig(
            channels, size, args.width, multipliers=(1, 2, 4), blocks=args.blocks, attention_sizes=(size // 4,)
        ),
        "--width",
    )
    model = Diffusion(config).to(device)
    optimizer = mg.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
    print(
        f"{args.data}: {len(train):,} pictures; a U-Net of {sum(p.numel() for p in model.parameters()):,} parameters "
        f"on {device}"
    )

    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(args.decay))
    run = training.Run(args, args.steps, model, optimizer, free=FREE)
    if "averaged" in run.kept:
        averaged.load_state_dict(run.kept["averaged"])
    run.kept["averaged"] = averaged.state_dict()  # the tensors themselves, which are written in place
    for step in run:
        warmup = min(100, args.steps // 10)
        rate = images.set_rate(optimizer, training.warm_up_and_decay(step, args.steps, args.lr, warmup, final=0.02))
        places = training.batch_at(step, len(train), args.batch_size, args.seed)
        loss = model.loss(train.pixels(places, device) * 2 - 1)
        optimizer.zero_grad()
        loss.backward()
        norm = mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        averaged.update_parameters(model)
        run.record(step, loss.item(), lr=rate, gradient_norm=float(norm))
        if run.due(step, args.eval_every):
            pictures = sample(averaged.module, 16, args.sample_steps, device)
            shown = images.save_grid(os.path.join(args.out, f"step-{step + 1:05d}.png"), pictures)
            run.board.picture(step + 1, "samples", shown)
            run.validated(step, evaluate(averaged.module, test, device))

    model = averaged.module
    images.save_grid(os.path.join(args.out, "samples.png"), sample(model, 64, args.sample_steps, device), columns=8)
    way = [sample(model, 8, steps, device) for steps in (1, 2, 5, 10, 25, args.sample_steps)]
    images.save_grid(os.path.join(args.out, "few-steps.png"), mg.cat(way), columns=8)
    mg.save({"config": dataclasses.asdict(config), "state": model.state_dict()}, os.path.join(args.out, "model.mg"))
    title = f"A diffusion model on {args.data}"
    training.plot_losses(
        os.path.join(args.out, "loss.png"), title, "mean squared error of the noise", run.losses, run.validations
    )
    print(f"saved in {args.out}: step-NNNNN.png, samples.png, few-steps.png, model.mg, loss.png, checkpoint.mg")


if __name__ == "__main__":
    main()
