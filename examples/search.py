"""Search for a learning rate, a width and a dropout that suit: a study with Optuna, on a validation split.

    python examples/search.py                        20 trials on clothes (Fashion-MNIST), a few minutes on two cores
    python examples/search.py --data digits          the digits that scikit-learn carries: no download
    python examples/search.py --trials 50 --resume   go on with the study in --out, stopped or complete, up to 50

Each trial trains a small convolutional network for --epochs on a part of the training pictures; after each epoch its
accuracy on the validation split is reported, and a trial that is worse than the median of the former ones at that point
is given up (pruned). The first trials are random, later ones drawn by a tree-structured Parzen estimator (Bergstra et
al., 2011). At the end the best parameters are trained again, longer, on training and validation pictures together, and
tested once. The test pictures have no part in the search.

The study is kept in --out/study.db (SQLite). Ctrl-C gives up
the trial at hand. A resumed study repeats that trial, and comes out as if it had not been stopped. Besides: search.png,
model.mg.
"""

import argparse
import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import images
import numpy as np
import training
from images import Part

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

FREE = ("trials", "final_epochs")  # flags that a resumed study may change
SEARCHED = ("lr", "width", "dropout")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_data_flag(p)
    p.add_argument("--trials", type=int, default=20, help="that end, pruned ones included (default: %(default)s)")
    p.add_argument("--epochs", type=int, default=3, help="of a trial (default: %(default)s)")
    p.add_argument("--final-epochs", type=int, default=6, help="with the best parameters (default: %(default)s)")
    p.add_argument("--pictures", type=int, default=10_000, help="a trial trains on (default: %(default)s)")
    p.add_argument("--validation", type=float, default=0.1, help="share that is held out (default: %(default)s)")
    p.add_argument("--batch-size", type=int, default=64, help="pictures a step (default: %(default)s)")
    p.add_argument("--random", type=int, default=6, help="trials before the estimator draws (default: %(default)s)")
    training.add_common_flags(p, out="runs/search")
    args = p.parse_args()
    training.check_positive(p, args, "trials", "epochs", "final_epochs", "pictures", "batch_size", "random")
    images.check_shares(p, args, "validation")
    return args


class Net(nn.Module):
    """Two convolutions with pooling, and two dense layers with dropout before each."""

    def __init__(self, channels: int, size: int, classes: int, width: int, dropout: float):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc1 = nn.Linear(2 * width * (size // 4) ** 2, 8 * width)
        self.fc2 = nn.Linear(8 * width, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, C, H, W) -> (N, width, H / 2, W / 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 2 width, H / 4, W / 4)
        x = F.relu(self.fc1(self.dropout(x.flatten(1))))  # (N, 8 width)
        return self.fc2(self.dropout(x))


def train(parameters: dict[str, Any], part: Part, epochs: int, args: argparse.Namespace, device: mg.device,
          bar: Any, stop: training.Interrupt, after_epoch: Any = None) -> Net | None:  # fmt: skip
    """A network with these parameters, trained; None where Ctrl-C asked for the end. `after_epoch(epoch, model)` may
    end the training by raising an exception.
    """
    mg.manual_seed(args.seed)
    _, channels, size, _ = part.images.shape
    model = Net(channels, size, 10, parameters["width"], parameters["dropout"]).to(device)
    optimizer = mg.optim.Adam(model.parameters(), lr=parameters["lr"])
    per_epoch = max(len(part) // args.batch_size, 1)
    for step in range(epochs * per_epoch):
        images.set_rate(optimizer, training.warm_up_and_decay(step, epochs * per_epoch, parameters["lr"], 20, 0.05))
        places = training.batch_at(step, len(part), args.batch_size, args.seed)
        loss = F.cross_entropy(model(part.pixels(places, device)), mg.tensor(part.labels[places], device=device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bar.set_postfix_str(f"loss {loss.item():.3f}")
        if stop:
            return None
        if (step + 1) % per_epoch == 0 and after_epoch is not None:
            after_epoch((step + 1) // per_epoch, model)
    return model


@mg.no_grad()
def accuracy(model: Net, part: Part, device: mg.device) -> float:
    model.eval()
    found = [
        model(part.pixels(slice(start, start + 250), device)).argmax(1).cpu().numpy()
        for start in range(0, len(part), 250)
    ]
    model.train()
    return float((np.concatenate(found) == part.labels).mean())


def open_study(args: argparse.Namespace, optuna: Any) -> Any:
    """The study in --out, a new one or, with --resume, the one that is there."""
    path = os.path.join(args.out, "study.db")
    if args.resume != os.path.exists(path):
        sys.exit(
            f"--resume: there is no study at {path}; run without --resume first, or give the folder with --out"
            if args.resume
            else f"--out: there is a study at {path} already; --resume goes on with it, another --out begins a new one"
        )
    os.makedirs(args.out, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
    settings = {k: v for k, v in vars(args).items() if k not in (*training.NOT_SAVED, *FREE)}

    def read() -> Any:
        try:
            return optuna.create_study(
                study_name="search", storage=f"sqlite:///{path}", direction="maximize", pruner=pruner,
                load_if_exists=args.resume,
            )  # fmt: skip
        except Exception as error:  # SQLAlchemy's and SQLite's have no common base below it
            raise RuntimeError(f"{path} is damaged, or no study: {error}") from error

    study = training.or_exit(read, "--resume" if args.resume else "--out")
    if args.resume:
        training.refuse_changes(settings, study.user_attrs["settings"], list(settings))
        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):  # from a run that was killed
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    study.set_user_attr("settings", settings)
    return study


def ended(study: Any, optuna: Any) -> list[Any]:
    states = optuna.trial.TrialState
    return study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))


def search(study: Any, splits: dict[str, Part], args: argparse.Namespace, device: mg.device, optuna: Any) -> None:
    """Trials until there are --trials of them; ends the program with code 130 on Ctrl-C."""
    board = training.Board(args.tensorboard)
    done = len(ended(study, optuna))
    with training.Interrupt() as stop, training.progress(args.trials, done, "trial", "search") as bar:
        for number in range(done, args.trials):
            # A sampler for each trial: what it draws depends on the seed and the trials before it, on nothing else.
            study.sampler = optuna.samplers.TPESampler(seed=args.seed + number, n_startup_trials=args.random)
            trial = study.ask()
            parameters = {
                "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
                "width": trial.suggest_int("width", 4, 32, log=True),
                "dropout": trial.suggest_float("dropout", 0.0, 0.6),
            }

            def after_epoch(epoch: int, model: Net, trial: Any = trial) -> None:
                trial.report(accuracy(model, splits["validation"], device), epoch)
                if epoch < args.epochs and trial.should_prune():
                    raise optuna.TrialPruned

            state, value = optuna.trial.TrialState.COMPLETE, None
            try:
                model = train(parameters, splits["train"], args.epochs, args, device, bar, stop, after_epoch)
            except optuna.TrialPruned:
                state = optuna.trial.TrialState.PRUNED
            else:
                if model is None:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    break
                value = accuracy(model, splits["validation"], device)
            study.tell(trial, value, state=state)
            last = value if value is not None else ended(study, optuna)[-1].intermediate_values
            told = f"{value:.2%}" if value is not None else f"pruned at {list(last.values())[-1]:.2%}"
            training.say(bar, f"trial {number + 1:3d}: {described(parameters)}: {told}")
            if args.print_losses:
                training.say(bar, f"loss {number + 1} {parameters!r} {last!r}")
            board.scalars(number + 1, **parameters, **({} if value is None else {"accuracy": value}))
            bar.update()
    board.close()
    if len(ended(study, optuna)) < args.trials:
        print(f"\nstopped after {len(ended(study, optuna))} trials. To go on, run the same command with --resume")
        sys.exit(130)


def described(parameters: dict[str, Any]) -> str:
    return f"lr {parameters['lr']:.5f}, width {parameters['width']:2d}, dropout {parameters['dropout']:.2f}"


def picture(path: str, trials: list[Any], optuna: Any) -> None:
    """Accuracy over each parameter: a dot a trial, hollow where it was given up."""
    from minigrad.viz.pictures import canvas

    figure = canvas((11, 3.6), "search.py")
    for axes, name in zip(figure.subplots(1, 3, sharey=True), SEARCHED, strict=True):
        for state, fill in ((optuna.trial.TrialState.COMPLETE, "tab:blue"), (optuna.trial.TrialState.PRUNED, "none")):
            chosen = [t for t in trials if t.state == state]
            x, y = [t.params[name] for t in chosen], [list(t.intermediate_values.values())[-1] for t in chosen]
            axes.scatter(x, y, facecolors=fill, edgecolors="tab:blue", label=state.name.lower())
        axes.set(xlabel=name, xscale="log" if name == "lr" else "linear")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("accuracy in validation")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    optuna = training.need("optuna")
    splits, _ = training.or_exit(lambda: images.read_splits(args.data, args.validation, args.seed), "--data")
    whole = Part(*(np.concatenate([getattr(splits[s], of) for s in ("train", "validation")])
                   for of in ("images", "labels")))  # fmt: skip
    splits["train"] = splits["train"].taken(np.arange(min(args.pictures, len(splits["train"]))))  # in random order
    print(
        f"{args.data}: a trial learns from {len(splits['train']):,} pictures and is judged on "
        f"{len(splits['validation']):,} others"
    )
    study = open_study(args, optuna)
    search(study, splits, args, device, optuna)

    trials = ended(study, optuna)
    pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in trials)
    best = study.best_trial
    print(f"{len(trials)} trials, {pruned} given up early; best: {described(best.params)}: {best.value:.2%}")
    picture(os.path.join(args.out, "search.png"), trials, optuna)
    print(f"training with these parameters for {args.final_epochs} epochs on {len(whole):,} pictures")
    with training.Interrupt() as stop, training.progress(args.final_epochs, 0, "epoch", "training") as bar:
        model = train(best.params, whole, args.final_epochs, args, device, bar, stop, lambda *_: bar.update())
    if model is None:
        print("\nstopped; the study is complete: with --resume only this last training is run again")
        sys.exit(130)
    print(f"test accuracy {accuracy(model, splits['test'], device):.2%} of {len(splits['test']):,} pictures")
    mg.save({"parameters": best.params, "state": model.state_dict()}, os.path.join(args.out, "model.mg"))
    print(f"saved in {args.out}: study.db, search.png, model.mg")


if __name__ == "__main__":
    main()
