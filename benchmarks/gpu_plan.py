"""What gpu.py measures, in order of worth, and what each figure has to reach."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BOTH = ("minigrad", "torch")
ROWS, WIDTH = 65536, 1024  # 256 MB of float32: far more than any cache holds
TOKENS = 8192  # GPT-2's batch of 8 x 1,024
PRODUCTS = {  # (n, k, m)
    "8192 square": (8192, 8192, 8192),
    "GPT-2 qkv": (TOKENS, 768, 3 * 768),
    "GPT-2 projection": (TOKENS, 768, 768),
    "GPT-2 up": (TOKENS, 768, 4 * 768),
    "GPT-2 down": (TOKENS, 4 * 768, 768),
    "GPT-2 head": (TOKENS, 768, 50257),
}
MLP = {"batch": 64, "pixels": 784, "hidden": 500, "classes": 10}
CNN = {"batch": 64, "side": 28, "channels": 32, "classes": 10, "dropout": 0.25}
GPT = {"batch": 12, "block": 64, "layers": 4, "heads": 4, "channels": 128, "vocabulary": 65}
SMALL_GPT = {"batch": 4, "block": 32, "layers": 2, "heads": 2, "channels": 32}
GPT2 = {"batch": 8, "block": 1024, "layers": 12, "heads": 12, "channels": 768, "vocabulary": 50257}
NANO = {"batch": 64, "block": 256, "layers": 6, "heads": 6, "channels": 384, "vocabulary": 65}
TESTS = ("kernels/test_gpu_kernels.py", "kernels/test_gpu_product.py", "kernels/test_cublaslt.py",
         "kernels/test_graph.py", "test_graphs.py", "kernels/test_gpu_table.py", "test_on_card.py")  # fmt: skip

Found = dict[str, dict[str, Any]]  # by part and engine: "softmax, torch"


@dataclass(frozen=True)
class Part:
    """One figure of a measure: a program of the workers with its options, and the engines that run it."""

    program: str
    options: dict[str, Any]
    engines: tuple[str, ...] = BOTH


@dataclass(frozen=True)
class Goal:
    """`value` from what a measure found and from all results; None where that cannot be said."""

    what: str
    value: Callable[[Found, dict[str, Found]], float | None]
    least: float | None = None
    most: float | None = None

    def judged(self, found: Found, results: dict[str, Found]) -> dict[str, Any]:
        """What is written down: the goal, its value, whether it is met (None: not known)."""
        try:
            value = self.value(found, results)
        except (KeyError, TypeError, ZeroDivisionError, ValueError):  # a part that failed has no figures
            value = None
        limit, sign = (self.least, ">=") if self.least is not None else (self.most, "<=")
        met = None if value is None or limit is None else (value >= limit if self.least is not None else value <= limit)
        return {"what": self.what, "value": value, "goal": f"{sign} {limit:g}", "met": met}


@dataclass(frozen=True)
class Measure:
    parts: dict[str, Part]
    goals: tuple[Goal, ...] = ()


def key(part: str, engine: str) -> str:
    return f"{part}, {engine}"


def best(found: Found, field: str, parts: list[str]) -> float | None:
    """The largest figure of some parts, of either engine."""
    figures = [found.get(key(part, engine), {}).get(field) for part in parts for engine in BOTH]
    return max((figure for figure in figures if figure is not None), default=None)


def peak_rate(results: dict[str, Found], precision: str) -> float:
    """TF/s of the fastest product of that precision."""
    rate = best(results["products"], "TF/s", [f"{precision}, {name}" for name in PRODUCTS])
    if rate is None:
        raise KeyError(precision)
    return rate


# ---------------------------------------------------------------- goals


def _passed(part: str) -> Goal:
    return Goal(f"{part}: failures", lambda found, _: found[key(part, "pytest")]["failures"], most=0)


def _same_bits(part: str) -> Goal:
    def bits(found: Found, _: Any) -> float:
        entry = found[key(part, "minigrad")]
        return len(entry["different"]) if entry["replays"] else sys.float_info.max  # nothing was compared

    return Goal(f"{part}: tensors and losses that differ in a bit", bits, most=0)


def _apart(part: str, field: str, most: float) -> Goal:
    return Goal(f"{part}: {field} difference of the loss", lambda found, _: found[key(part, "minigrad")][field],
                most=most)  # fmt: skip


def _ratio(what: str, part: str, field: str, least: float | None = None, most: float | None = None) -> Goal:
    def value(found: Found, _: Any) -> float:
        return found[key(part, "minigrad")][field] / found[key(part, "torch")][field]

    return Goal(what, value, least, most)


def _speed(ours: str, theirs: str, least: float) -> Goal:
    """How many times as fast as PyTorch; no figure for a captured step that was not."""

    def value(found: Found, _: Any) -> float | None:
        entry = found[key(ours, "minigrad")]
        return None if entry.get("replays") == 0 else found[key(theirs, "torch")]["ms"] / entry["ms"]

    return Goal(f"{ours}: speed beside PyTorch's", value, least=least)


def _share_of_copy(part: str) -> Goal:
    def value(found: Found, results: dict[str, Found]) -> float:
        return found[key(part, "minigrad")]["GB/s"] / best(results["kernels"], "GB/s", ["copy"])  # type: ignore[operator]

    return Goal(f"{part}: share of the copy's bandwidth", value, least=0.85)


def _share_of_peak(part: str, precision: str, least: float) -> Goal:
    def value(found: Found, results: dict[str, Found]) -> float:
        return found[key(part, "minigrad")]["TF/s"] / peak_rate(results, precision)

    return Goal(f"{part}: share of the measured peak", value, least=least)


# ---------------------------------------------------------------- the list


def _kernels() -> Measure:
    parts = {"copy": Part("kernel", {"name": "copy", "rows": ROWS, "width": WIDTH})}
    for name in ("layer_norm", "softmax", "cross_entropy", "gelu"):
        for trained in (False, True):
            options = {"name": name, "rows": ROWS, "width": WIDTH, "trained": trained}
            parts[name + " with backward" * trained] = Part("kernel", options)
    head = {"name": "cross_entropy", "rows": TOKENS, "width": 50257, "trained": True}
    parts["cross_entropy of GPT-2 with backward"] = Part("kernel", head)
    for name in ("adamw", "random_numbers"):
        parts[name] = Part("kernel", {"name": name, "rows": ROWS, "width": WIDTH})
    return Measure(parts, tuple(_share_of_copy(part) for part in parts if part not in ("copy", "random_numbers")))


def _products() -> Measure:
    precisions = ("float32", "tf32", "float16", "bfloat16")
    parts = {
        f"{precision}, {name}": Part("product", {"precision": precision, "n": n, "k": k, "m": m})
        for precision in precisions
        for name, (n, k, m) in PRODUCTS.items()
    }
    return Measure(parts, tuple(_ratio(f"{p}: rate beside PyTorch's", p, "TF/s", least=0.9) for p in parts))


def _training(model: str, size: dict[str, Any], precision: str, goals: Callable[..., tuple[Goal, ...]]) -> Measure:
    options = {"model": model, "precision": precision, "size": size}
    parts = {"eager": Part("training", options),
             "captured": Part("training", {**options, "captured": True}, ("minigrad",))}  # fmt: skip
    return Measure(parts, goals(precision))


def _gpt2(precision: str) -> tuple[Goal, ...]:
    def faster(found: Found, _: Any) -> float:
        ours = [found.get(key(part, "minigrad"), {}).get("ms") for part in ("eager", "captured")]
        return found[key("eager", "torch")]["ms"] / min(ms for ms in ours if ms)

    return (
        Goal("speed beside PyTorch's, the faster of eager and captured", faster, least=0.9),
        _ratio("peak memory beside PyTorch's", "eager", "peak MB", most=1.0),
        _share_of_peak("eager", precision, least=0.4),
    )


MEASURES: dict[str, Measure] = {
    "tests": Measure({name: Part("pytest", {"file": f"tests/{name}"}, ("pytest",)) for name in TESTS},
                     tuple(_passed(name) for name in TESTS)),
    "capture": Measure(
        {model: Part("capture", {"model": model, "precision": "float32", "size": size}, ("minigrad",))
         for model, size in (("mlp", MLP), ("gpt", {**GPT, "dropout": 0.1}), ("cnn", CNN))},
        tuple(_same_bits(model) for model in ("mlp", "gpt", "cnn")),
    ),
    "agreement": Measure(
        {"float32": Part("agreement", {"dtype": "float32", "steps": 50, "size": GPT}, ("minigrad",)),
         "float64": Part("agreement", {"dtype": "float64", "steps": 100, "size": SMALL_GPT}, ("minigrad",))},
        (_apart("float32", "first", 1e-5), _apart("float32", "most", 1e-3), _apart("float64", "most", 1e-8)),
    ),
    "products": _products(),
    "kernels": _kernels(),
    **{f"gpt2 {precision}": _training("gpt", GPT2, precision, _gpt2) for precision in ("float32", "tf32", "bfloat16")},
    "nanogpt float32": _training("gpt", NANO, "float32", lambda _: (_speed("captured", "eager", 1.0),)),
    "nanogpt with dropout": _training("gpt", {**NANO, "dropout": 0.2}, "float32",
                                      lambda _: (_speed("captured", "eager", 1.0),)),
    "nanogpt bfloat16": _training("gpt", NANO, "bfloat16", lambda _: (_speed("captured", "eager", 1.0),)),
    "mlp": _training("mlp", MLP, "float32", lambda _: (_speed("captured", "eager", 5.0),)),
    "attention": Measure(
        {precision: Part("attention", {"precision": precision, "batch": 8, "heads": 12, "length": 1024, "width": 64})
         for precision in ("float32", "float16", "bfloat16")},
    ),
}  # fmt: skip
