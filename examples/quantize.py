"""What a classifier loses, and what it saves, when its weights are kept in two bytes or in one, or many are made zeros.

    python examples/train_classifier.py --data chnsenticorp        writes runs/classifier/model
    python examples/quantize.py runs/classifier/model --data chnsenticorp

For float32, bfloat16, int8 (a scale for each output channel), and with the smallest of the linear layers' weights
pruned: bytes of all weights, accuracy on the test texts, how often the answer is the float32 model's, and the time of
one text alone. Both linear layers and embedding tables are rounded; norms, biases and the positions stay as they are.
Zeros save room in a file, as `pruning.pack` writes it, and no time. Nothing is trained.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import training
from train_classifier import read_splits

import minigrad as mg
from minigrad import pruning, quantization

DTYPES = ("float32", "bfloat16", "int8")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="of a saved classifier")
    p.add_argument("--data", default="sst2", help="sst2, chnsenticorp, imdb, or the file it was trained on (default: "
                   "%(default)s)")  # fmt: skip
    p.add_argument("--seed", type=int, default=1337, help="with which a file was split (default: %(default)s)")
    p.add_argument("--prune", type=float, nargs="*", default=[0.5, 0.8], metavar="SHARE", help="of the weights of "
                   "linear layers that become zeros (default: 0.5 0.8)")  # fmt: skip
    p.add_argument("--repeats", type=int, default=50, help="timings of one text (default: %(default)s)")
    p.add_argument("--threads", type=int, help="of the kernels; 1 where other programs are running (default: all)")
    args = p.parse_args()
    training.check_positive(p, args, "repeats")
    if wrong := [share for share in args.prune if not 0 < share < 1]:
        p.error(f"--prune takes shares between 0 and 1, got {wrong[0]:g}")
    return args


def milliseconds(pipe: Callable[[str], dict], text: str, repeats: int) -> float:
    """The median time of one text, after one that compiles what is missing."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        pipe(text)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) * 1e3


def main() -> None:
    args = arguments()
    training.use_threads(args.threads)
    splits, classes, _ = training.or_exit(lambda: read_splits(args.data, args.seed), "--data")
    texts, labels = splits["test"]
    right = [classes[label] for label in labels]
    exact: list[str] = []
    print(
        f"{len(texts):,} test texts\n{'weights':>11} {'bytes':>11} {'accuracy':>9} {'as float32':>11} {'ms a text':>10}"
    )
    for way in (*DTYPES, *args.prune):
        pipe = training.or_exit(lambda: mg.pipeline(args.folder), "folder")
        if pipe.task != "classify":
            sys.exit(f"folder: {args.folder} is a model for the task {pipe.task!r}, not a classifier")
        if unknown := set(classes) - {pipe.name(i) for i in range(len(pipe.labels or ()))}:
            sys.exit(
                f"--data: the model in {args.folder} knows no label {sorted(unknown)[0]!r}; its own: {pipe.labels}"
            )
        name, size = str(way), quantization.size_in_bytes(pipe.model)
        if isinstance(way, float):
            name, size = f"{100 * way:.0f} % zeros", pruning.prune(pipe.model, way).bytes_sparse
            pruning.make_permanent(pipe.model)
        elif way != "float32":
            quantization.quantize(pipe.model, way, embeddings="all")
            size = quantization.size_in_bytes(pipe.model)
        found = [each["label"] for each in pipe(list(texts))]
        exact = exact or found
        accuracy, same = (
            sum(a == b for a, b in zip(found, other, strict=True)) / len(found) for other in (right, exact)
        )
        taken = milliseconds(pipe, texts[0], args.repeats)
        print(f"{name:>11} {size:>11,} {accuracy:>9.2%} {same:>11.2%} {taken:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
