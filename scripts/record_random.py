"""Records what PyTorch draws on the CPU, for tests/test_random.py.

    python scripts/record_random.py        (PyTorch must be installed; writes tests/recorded/random.json)

`streams` are sequences of draws from one generator, each draw as a method of minigrad.Generator with its arguments;
`public` are calls of torch.rand and its kin after manual_seed; `errors` and `public_errors` name the exception. Of long
results the ends, the sum and, where every bit must agree, a checksum are kept. After each sequence `next` holds one
more word of the generator, which shows that it has been used up exactly as far as PyTorch's.

Run it on a processor that is not Intel's: on those PyTorch draws bernoulli_ with a number from another library.
"""

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

SEEDS = (0, 1, 1337, 2**40 + 3, -1)
SIZES = (1, 5, 0, 15, 16, 17, 100, 1000, 3, 33)
Step = tuple[str, dict[str, Any]]


def empty(shape: Any, dtype: str) -> torch.Tensor:
    return torch.empty(shape, dtype=getattr(torch, dtype))


def dropout_mask(g: torch.Generator, shape: Any, p: float, dtype: str = "float32") -> torch.Tensor:
    torch.set_rng_state(g.get_state())  # dropout draws from the default generator alone
    mask = F.dropout(torch.ones(shape, dtype=getattr(torch, dtype)), p)
    g.set_state(torch.get_rng_state())
    return mask


def trunc_normal(g: torch.Generator, shape: Any, dtype: str = "float32", **limits: float) -> torch.Tensor:
    return torch.nn.init.trunc_normal_(empty(shape, dtype), **limits, generator=g)


def bernoulli(g: torch.Generator, p: Any, shape: Any = None, dtype: str = "float32") -> torch.Tensor:
    p = tensor(p) if isinstance(p, dict) else p
    return empty(p.shape if shape is None else shape, dtype).bernoulli_(p, generator=g)


def normal(
    g: torch.Generator, shape: int, contiguous: bool = True, dtype: str = "float32", **ms: float
) -> torch.Tensor:
    whole = empty((shape, 1 if contiguous else 2), dtype)
    return whole[:, 0].normal_(ms.get("mean", 0.0), ms.get("std", 1.0), generator=g)


DRAWS: dict[str, Callable[..., torch.Tensor]] = {
    "uniform": lambda g, shape, low=0.0, high=1.0, dtype="float32": empty(shape, dtype).uniform_(
        low, high, generator=g
    ),
    "normal": normal,
    "trunc_normal": trunc_normal,
    "exponential": lambda g, shape, lambd=1.0, dtype="float32": empty(shape, dtype).exponential_(lambd, generator=g),
    "cauchy": lambda g, shape, median, sigma: empty(shape, "float32").cauchy_(median, sigma, generator=g),
    "log_normal": lambda g, shape, mean, std: empty(shape, "float32").log_normal_(mean, std, generator=g),
    "geometric": lambda g, shape, p: empty(shape, "float32").geometric_(p, generator=g),
    "randint": lambda g, low, high, shape, dtype="int64": empty(shape, dtype).random_(low, high, generator=g),
    "random": lambda g, shape, dtype="float32": empty(shape, dtype).random_(generator=g),
    "randperm": lambda g, n, dtype="int64": torch.randperm(n, dtype=getattr(torch, dtype), generator=g),
    "bernoulli": bernoulli,
    "dropout_mask": dropout_mask,
    "multinomial": lambda g, probs, num_samples, replacement=False: torch.multinomial(
        tensor(probs), num_samples, replacement, generator=g
    ),
}
ROUNDED = {"normal", "trunc_normal", "exponential", "cauchy", "log_normal", "randn", "randn_like"}  # through log or cos


def tensor(spec: dict[str, Any]) -> torch.Tensor:
    made = torch.tensor(spec["tensor"], dtype=getattr(torch, spec["dtype"]))
    return made.t() if spec.get("transposed") else made


def given(values: Any, dtype: str = "float32", **more: bool) -> dict[str, Any]:
    return {"tensor": values, "dtype": dtype, **more}


def kept(result: torch.Tensor, exact: bool) -> dict[str, Any]:
    """What a test needs to tell a result from any other."""
    flat = result.flatten()
    about: dict[str, Any] = {"dtype": str(result.dtype)[6:], "shape": list(result.shape), "exact": exact}
    if flat.numel() <= 12:
        return {**about, "values": flat.tolist()}
    about |= {"head": flat[:4].tolist(), "tail": flat[-4:].tolist(), "sum": flat.double().sum().item()}
    if exact:
        about["crc32"] = zlib.crc32(flat.contiguous().view(torch.uint8).numpy().tobytes())
    return about


def is_exact(name: str, arguments: dict[str, Any]) -> bool:
    """Whether every bit must agree; float64 uniforms between other ends than 0 and 1 are a rounded product and sum."""
    stretched = name == "uniform" and "low" in arguments and arguments.get("dtype") == "float64"
    return name not in ROUNDED and not stretched


def stream(seed: int, steps: list[Step]) -> dict[str, Any]:
    g = torch.Generator().manual_seed(seed)
    drawn = [
        {"draw": name, "arguments": arguments, **kept(DRAWS[name](g, **arguments), is_exact(name, arguments))}
        for name, arguments in steps
    ]
    return {"seed": seed, "steps": drawn, "next": empty((), "int32").random_(generator=g).item()}


def each_size(name: str, **arguments: Any) -> list[Step]:
    return [(name, {"n" if name == "randperm" else "shape": size, **arguments}) for size in SIZES]


def streams() -> list[dict[str, Any]]:
    two = [[0.1, 0.2, 0.3, 0.4], [5.0, 0.0, 1.0, 2.0]]
    many = [float(i % 7) for i in range(200)]
    cases: list[tuple[int, list[Step]]] = []
    for seed in SEEDS:
        cases += [(seed, each_size("uniform")), (seed, each_size("normal")), (seed, each_size("randperm"))]
        cases += [(seed, each_size("randint", low=0, high=10)), (seed, each_size("dropout_mask", p=0.1))]
        mixed: list[Step] = [("normal", {"shape": 5}), ("uniform", {"shape": 3}), ("randperm", {"n": 7})]
        mixed += [("normal", {"shape": 20}), ("normal", {"shape": 4}), ("bernoulli", {"p": 0.5, "shape": 9})]
        mixed += [("randint", {"low": -5, "high": 5, "shape": 6}), ("normal", {"shape": 3, "dtype": "float64"})]
        mixed += [("multinomial", {"probs": given(two), "num_samples": 1}), ("exponential", {"shape": 4})]
        cases.append((seed, [*mixed, ("uniform", {"shape": 2, "dtype": "float64"}), ("normal", {"shape": 2})]))
    for dtype in ("float64", "float16", "bfloat16"):
        cases += [(1337, each_size(name, dtype=dtype)) for name in ("uniform", "normal", "exponential", "random")]
        cases.append((1337, [("dropout_mask", {"shape": 50, "p": p, "dtype": dtype}) for p in (0.1, 0.5, 0.97)]))
    for dtype in ("float32", "float64", "bfloat16"):
        cases.append((7, each_size("uniform", low=-0.3, high=0.7, dtype=dtype)))
        cases.append((7, each_size("uniform", low=2.0, high=2.0, dtype=dtype)))
        cases.append((7, each_size("normal", mean=0.3, std=1.7, dtype=dtype)))
        cases.append((7, each_size("normal", contiguous=False, dtype=dtype)))
        cases.append((7, each_size("trunc_normal", mean=0.1, std=0.02, a=-0.2, b=0.2, dtype=dtype)))
        cases.append((7, each_size("trunc_normal", a=1.2, b=1.5, dtype=dtype)))
    for dtype in ("int64", "int32", "int16", "int8", "uint8", "bool", "float32"):
        cases.append(
            (3, [*each_size("random", dtype=dtype), ("randint", {"low": 0, "high": 2, "shape": 9, "dtype": dtype})])
        )
    ends = [(0, 2**28 - 1), (0, 2**28), (-(2**30), 2**30), (-(2**63), 2**63 - 1), (-7, -2), (2**62, 2**63 - 1), (4, 5)]
    cases.append((11, [("randint", {"low": low, "high": high, "shape": 20}) for low, high in ends]))
    cases.append((11, [("randint", {"low": -(2**31), "high": 2**31, "shape": 20, "dtype": "int32"})]))
    cases.append((11, [("randint", {"low": -300, "high": 2**24, "shape": 20, "dtype": "float32"})]))
    cases.append(
        (11, [("randperm", {"n": n, "dtype": d}) for n in (2, 40) for d in ("int32", "float32", "uint8", "float16")])
    )
    cases.append((11, [("randperm", {"n": n}) for n in (2001, 2002, 30000, 100003)]))
    for p in (0, 1, 0.5, 0.123):
        cases.append(
            (
                5,
                [
                    ("bernoulli", {"p": p, "shape": size, "dtype": d})
                    for size in (0, 1, 40)
                    for d in ("float32", "bool")
                ],
            )
        )
    for dtype in ("float32", "float64", "float16"):
        probabilities = given([[0.0, 1.0, 0.25], [0.5, 0.75, 0.9]], dtype)
        cases.append(
            (5, [("bernoulli", {"p": probabilities}), ("bernoulli", {"p": probabilities, "shape": [4, 2, 3]})])
        )
        for count, again in ((1, False), (1, True), (3, False), (3, True), (50, True)):
            arguments = {
                "probs": given(two if count < 4 else two[0], dtype),
                "num_samples": count,
                "replacement": again,
            }
            cases.append((9, [("multinomial", arguments), ("multinomial", {**arguments, "probs": given(many, dtype)})]))
    cases.append((9, [("dropout_mask", {"shape": [4, 5], "p": p}) for p in (0.0, 1.0, 0.2)]))
    cases.append((9, each_size("exponential", lambd=0.7) + each_size("cauchy", median=0.2, sigma=1.5)))
    cases.append((9, each_size("log_normal", mean=0.2, std=0.5) + each_size("geometric", p=0.3)))
    return [stream(seed, steps) for seed, steps in cases]


def errors() -> list[dict[str, Any]]:
    """Calls that PyTorch refuses, with the exception it raises."""
    nan, inf, bad = float("nan"), float("inf"), []
    calls: list[Step] = [
        ("uniform", {"shape": 3, "low": a, "high": b}) for a, b in ((2, 1), (nan, 1), (0, inf), (-3e38, 3e38))
    ]
    calls += [("normal", {"shape": 3, "std": std}) for std in (-1.0, nan)]
    calls += [("exponential", {"shape": 3, "lambd": lambd}) for lambd in (0.0, -1.0, nan)]
    calls += [
        ("cauchy", {"shape": 3, "median": 0.0, "sigma": 0.0}),
        ("log_normal", {"shape": 3, "mean": 0.0, "std": 0.0}),
    ]
    calls += [("geometric", {"shape": 3, "p": p}) for p in (0.0, 1.0)]
    calls += [("randint", {"low": 5, "high": high, "shape": shape}) for high in (5, 4) for shape in (3, 0)]
    calls += [("randint", {"low": 0, "high": 300, "shape": 3, "dtype": d}) for d in ("uint8", "int8", "bool")]
    calls += [
        ("randperm", {"n": -1}),
        ("randperm", {"n": 300, "dtype": "uint8"}),
        ("randperm", {"n": 3000, "dtype": "float16"}),
    ]
    calls += [("bernoulli", {"p": p, "shape": 3}) for p in (-0.1, 1.1, nan)]
    calls += [("bernoulli", {"p": given([0.5, 1.5])}), ("bernoulli", {"p": given([1, 0], "int64")})]
    calls += [("dropout_mask", {"shape": 3, "p": p}) for p in (-0.1, 1.1)]
    calls += [(name, {"shape": 3, "dtype": "int64"}) for name in ("uniform", "normal", "exponential")]
    for weights in ([1.0, -1.0], [0.0, 0.0], [1.0, nan], [1.0, inf]):
        calls += [("multinomial", {"probs": given(weights), "num_samples": n, "replacement": n > 2}) for n in (1, 3)]
    calls += [("multinomial", {"probs": given([1.0, 2.0, 3.0]), "num_samples": n}) for n in (4, 0, -1)]
    calls += [("multinomial", {"probs": given([[1.0], [0.0]]), "num_samples": 1})]
    calls += [
        ("multinomial", {"probs": given(w, d), "num_samples": 1})
        for w, d in (([1, 2], "int64"), ([[[1.0]]], "float32"), (1.0, "float32"))
    ]
    for name, arguments in calls:
        bad.append({"draw": name, "arguments": arguments, "error": raised(DRAWS[name], torch.Generator(), **arguments)})
    return bad


def raised(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    try:
        call(*args, **kwargs)
    except Exception as error:
        return type(error).__name__
    raise AssertionError(f"PyTorch accepts {call} {args} {kwargs}")


def public() -> list[dict[str, Any]]:
    column, wide, ints = given([[1.0], [2.0]]), given([[0.5] * 10, [0.25] * 10]), given([[1, 2, 3]], "int64")
    turned = given([[0.5] * 10, [0.25] * 10], transposed=True)
    calls: list[tuple[str, list, dict[str, Any]]] = [
        *[
            ("rand", [2, 3], {}),
            ("rand", [[2, 3]], {"dtype": "float64"}),
            ("rand", [], {"size": [4]}),
            ("rand", [[]], {}),
        ],
        *[("randn", [2, 3], {}), ("randn", [[4, 5]], {}), ("randn", [0, 3], {}), ("randn", [3], {"dtype": "float64"})],
        *[("randint", [10, [2, 3]], {}), ("randint", [5, 10, [4]], {}), ("randint", [], {"high": 9, "size": [4]})],
        *[("randint", [3], {"high": 9, "size": [4]}), ("randint", [3, 9], {"size": [4], "dtype": "float32"})],
        *[("randint", [], {"low": -3, "high": 9, "size": [4]}), ("randint", [9], {"size": [4]})],
        *[("randperm", [9], {}), ("randperm", [5], {"dtype": "int32"}), ("randperm", [0], {})],
        *[(name, [x], {}) for name in ("rand_like", "randn_like") for x in (column, wide, turned)],
        *[("rand_like", [ints], {"dtype": "float32"}), ("randn_like", [wide], {"dtype": "float64"})],
        *[("randint_like", [ints, 5], {}), ("randint_like", [column, 2, 5], {}), ("randint_like", [ints], {"high": 9})],
        *[("randint_like", [turned, 2, 50], {"dtype": "int64"}), ("randint_like", [ints], {"low": 3, "high": 9})],
        *[
            ("bernoulli", [wide], {}),
            ("bernoulli", [turned], {}),
            ("bernoulli", [column, 0.3], {}),
            ("bernoulli", [ints, 0.3], {}),
        ],
        *[("bernoulli", [wide], {"p": 0.9}), ("multinomial", [wide, 1], {}), ("multinomial", [wide, 3, True], {})],
        *[("multinomial", [turned, 1], {}), ("multinomial", [wide], {"num_samples": 2, "replacement": False})],
        *[("normal", [0.0, 1.0, [3]], {}), ("normal", [], {"mean": 2.0, "std": 3.0, "size": [4, 5]})],
        *[
            ("normal", [column, wide], {}),
            ("normal", [column], {}),
            ("normal", [wide, 0.5], {}),
            ("normal", [2.0, wide], {}),
        ],
        *[
            ("normal", [given([[1.0], [2.0]], "float64"), wide], {}),
            ("normal", [0.0, 1.0], {"size": [3], "dtype": "float64"}),
        ],
    ]
    done = []
    for name, args, kwargs in calls:
        torch.manual_seed(42)
        result = getattr(torch, name)(*[decoded(a) for a in args], **{k: decoded(v) for k, v in kwargs.items()})
        exact = name not in ROUNDED
        step = {"call": name, "args": args, "kwargs": kwargs, **kept(result, exact)}
        done.append({**step, "next": empty((), "int32").random_().item()})
    return done


def public_errors() -> list[dict[str, Any]]:
    ones, ints = given([1.0, 1.0]), given([1, 2], "int64")
    calls: list[tuple[str, list, dict[str, Any]]] = [
        *[
            ("rand", [-1], {}),
            ("rand", [1.5], {}),
            ("rand", [], {}),
            ("rand", ["3"], {}),
            ("rand", [3], {"dtype": "int64"}),
        ],
        *[("randn", [3], {"dtype": "int64"}), ("rand", [3], {"generator": 5}), ("rand_like", [ints], {})],
        *[
            ("randint", [5, 3], {}),
            ("randint", [0, 5, 3, 3], {}),
            ("randint", [0, 2.5, [3]], {}),
            ("randint", [[3]], {}),
        ],
        *[("randint", [5, [3]], {"requires_grad": True}), ("randint", [5, 5, [3]], {}), ("randint_like", [ones], {})],
        *[("normal", [0.0, 1.0], {}), ("normal", [ones, given([1.0, -1.0])], {}), ("normal", [ints, 1.0], {})],
        *[
            ("normal", [ones, -1.0], {}),
            ("normal", [ones, 1.0, [2]], {}),
            ("bernoulli", [ints], {}),
            ("bernoulli", [ones, 2.0], {}),
        ],
        *[
            ("multinomial", [ints, 1], {}),
            ("multinomial", [ones, 3], {}),
            ("randperm", [-1], {}),
            ("randperm", [2.5], {}),
        ],
    ]
    return [
        {
            "call": name,
            "args": args,
            "kwargs": kwargs,
            "error": raised(getattr(torch, name), *map(decoded, args), **{k: decoded(v) for k, v in kwargs.items()}),
        }
        for name, args, kwargs in calls
    ]


def decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return tensor(value)
    return getattr(torch, value) if isinstance(value, str) and hasattr(torch, value) else value


def state() -> dict[str, Any]:
    """A state in the middle of a block of words with a normal kept, and what follows it."""
    g = torch.Generator().manual_seed(1337)
    torch.rand(700, generator=g), torch.randn(5, generator=g)
    packed = base64.b64encode(zlib.compress(g.get_state().numpy().tobytes(), 9)).decode()
    return {"bytes": packed, "seed": g.initial_seed(), "normal": kept(torch.randn(4, generator=g), False)}


def main() -> None:
    parts = {"streams": streams(), "errors": errors(), "public": public(), "public_errors": public_errors()}
    lines = [f'"torch": "{torch.__version__}"', f'"state": {json.dumps(state())}']
    for name, rows in parts.items():
        lines.append(f'"{name}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]")
    target = Path(__file__).parent.parent / "tests" / "recorded" / "random.json"
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
