"""Random numbers against those PyTorch drew (see scripts/record_random.py), then what only minigrad promises."""

import base64
import copy
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad import dtype as dtypes, random
from minigrad.generator import Generator, _swap_in_turn
from minigrad.tensor import from_array

RECORDED = json.loads((Path(__file__).parent / "recorded" / "random.json").read_text())
# Where log and cos come in, their last bits differ between libraries; relative, and absolute below 0.1.
TOLERANCE = {"float32": 2e-6, "float64": 2e-14, "float16": 2e-3, "bfloat16": 1.6e-2}
EXCEPTIONS = {e.__name__: e for e in (RuntimeError, NotImplementedError, TypeError, ValueError)}


@pytest.fixture(autouse=True)
def default_stream_left_alone():
    state = random.default_generator.get_state()
    yield
    random.default_generator.set_state(state)


def raw_dtype(name: str) -> np.dtype:
    return getattr(dtypes, "bool_" if name == "bool" else name).numpy


def raw_array(spec: dict[str, Any]) -> np.ndarray:
    array = np.array(spec["tensor"]).astype(raw_dtype(spec["dtype"]))
    return array.T if spec.get("transposed") else array


def raw_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    decode = {"dtype": raw_dtype, "probs": raw_array, "p": lambda p: raw_array(p) if isinstance(p, dict) else p}
    return {name: decode[name](value) if name in decode else value for name, value in arguments.items()}


def public_argument(value: Any) -> Any:
    if isinstance(value, dict):
        return from_array(raw_array(value), device="cpu")
    return getattr(dtypes, value) if isinstance(value, str) and hasattr(dtypes, value) else value


def assert_is_recorded(values: np.ndarray, expected: dict[str, Any]) -> None:
    assert isinstance(values, np.ndarray)
    assert values.dtype == raw_dtype(expected["dtype"])
    assert list(values.shape) == expected["shape"]
    flat = values.reshape(-1)
    if "values" in expected:
        got, wanted = flat, expected["values"]
    else:
        got, wanted = np.concatenate([flat[:4], flat[-4:]]), expected["head"] + expected["tail"]
    if expected["exact"]:
        assert got.tolist() == wanted
        assert "crc32" not in expected or zlib.crc32(np.ascontiguousarray(flat).tobytes()) == expected["crc32"]
        return
    error = TOLERANCE[expected["dtype"]]
    np.testing.assert_allclose(got.astype(np.float64), wanted, rtol=error, atol=0.1 * error)
    if "sum" in expected:
        size = np.abs(flat.astype(np.float64)).sum()
        np.testing.assert_allclose(
            flat.astype(np.float64).sum(), expected["sum"], atol=error * (0.1 * flat.size + size)
        )


def title(case: dict[str, Any]) -> str:
    return f"{'-'.join(dict.fromkeys(step['draw'] for step in case['steps']))}-{case['seed']}"


@pytest.mark.parametrize("case", RECORDED["streams"], ids=title)
def test_stream_is_pytorchs(case):
    generator = Generator().manual_seed(case["seed"])
    for step in case["steps"]:
        values = getattr(generator, step["draw"])(**raw_arguments(step["arguments"]))
        assert_is_recorded(values, step)
    assert int(generator.random((), np.int32)) == case["next"]


@pytest.mark.parametrize("case", RECORDED["errors"], ids=lambda case: f"{case['draw']}-{case['arguments']}")
def test_stream_refuses_what_pytorch_refuses(case):
    generator = Generator()
    before = generator.get_state()
    with pytest.raises(EXCEPTIONS[case["error"]]):
        getattr(generator, case["draw"])(**raw_arguments(case["arguments"]))
    assert np.array_equal(generator.get_state(), before)  # and nothing was drawn


@pytest.mark.parametrize("case", RECORDED["public"], ids=lambda case: f"{case['call']}-{case['args']}-{case['kwargs']}")
def test_public_call_gives_pytorchs_numbers(case):
    random.manual_seed(42)
    kwargs = {name: public_argument(value) for name, value in case["kwargs"].items()}
    result = getattr(random, case["call"])(*map(public_argument, case["args"]), **kwargs)
    assert_is_recorded(result.array, case)
    assert not result.requires_grad
    assert int(random.default_generator.random((), np.int32)) == case["next"]


@pytest.mark.parametrize(
    "case", RECORDED["public_errors"], ids=lambda case: f"{case['call']}-{case['args']}-{case['kwargs']}"
)
def test_public_call_refuses_what_pytorch_refuses(case):
    kwargs = {name: public_argument(value) for name, value in case["kwargs"].items()}
    with pytest.raises(EXCEPTIONS[case["error"]]):
        getattr(random, case["call"])(*map(public_argument, case["args"]), **kwargs)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda g: g.uniform(3, 2, 1), r"low <= high.*\[2, 1\)"),
        (lambda g: g.normal(3, std=-1), "std >= 0, got -1"),
        (lambda g: g.randint(5, 5, 3), "low < high, got low=5 and high=5"),
        (lambda g: g.randint(0, 300, 3, np.uint8), "uint8 holds 0 to 255, got low=0 and high=300"),
        (lambda g: g.randint(0, 2**24 + 2, 3, np.float32), "float32 holds -16777216 to 16777216"),
        (lambda g: g.randint(0, 2**63, 3), "int64 holds .* got low=0 and high=9223372036854775808"),
        (lambda g: g.randperm(2**28), "permutations of up to 214748363 items, got n=268435456"),
        (lambda g: g.bernoulli(np.array([0.5, 7.0])), "from 0 to 1, got 7.0"),
        (lambda g: g.uniform(3, dtype=np.int32), "floating-point numbers, and int32 was asked for"),
        (lambda g: g.multinomial(np.ones(3), 4), "cannot draw 4 of 3 categories without replacement"),
        (lambda g: g.multinomial(np.ones((2, 0)), 1, True), "cannot draw 1 of 0 categories"),
        (lambda g: g.trunc_normal(3, std=0.0), "std > 0, got 0.0"),
        (lambda g: random.rand(2, size=(2,)), r"its size twice, as \(2,\) and as size=\(2,\)"),
        (lambda g: random.rand(2, generator=np.random), "a minigrad.Generator, got module"),
        (lambda g: random.randint(0, 2.5, (3,)), "one, high, or two, low and high; got 0 and 2.5"),
        (lambda g: random.randint(5, 3), r"size as a tuple, such as randint\(0, 10, \(2, 3\)\); got 3"),
        (lambda g: random.normal(0.0, 1.0), "normal with two numbers needs a size"),
        (lambda g: random.randperm(3, requires_grad=True), "only floating-point .* this one is int64"),
    ],
)
def test_errors_say_what_was_given_and_expected(call, says):
    with pytest.raises((RuntimeError, TypeError), match=says):
        call(Generator())


def test_seeds():
    generator = Generator()
    assert generator.initial_seed() == 67280421310721  # a new PyTorch generator's
    assert generator.manual_seed(-1) is generator
    assert generator.initial_seed() == 2**64 - 1
    assert generator.manual_seed(np.int64(7)).initial_seed() == 7
    low = Generator().manual_seed(3).uniform(4)
    assert np.array_equal(Generator().manual_seed(3 + 2**32).uniform(4), low)  # the low 32 bits start the stream
    first, second = generator.seed(), generator.seed()
    assert first != second == generator.initial_seed()
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match=f"from -2\\^63 to 2\\^64 - 1, got {seed}"):
            generator.manual_seed(seed)
    for seed in (1.5, "3", True, None):
        with pytest.raises(RuntimeError, match="expects an integer"):
            generator.manual_seed(seed)


def test_seeding_forgets_the_kept_normal():
    generator = Generator().manual_seed(5)
    first = generator.normal(3)
    assert np.array_equal(generator.manual_seed(5).normal(3), first)


def test_state_is_pytorchs():
    recorded = RECORDED["state"]
    theirs = np.frombuffer(zlib.decompress(base64.b64decode(recorded["bytes"])), np.uint8)
    generator = Generator().set_state(theirs)
    assert np.array_equal(generator.get_state(), theirs)
    assert generator.initial_seed() == recorded["seed"]
    assert_is_recorded(generator.normal(4), recorded["normal"])
    ours = Generator().manual_seed(recorded["seed"])
    ours.uniform(700), ours.normal(5)
    kept = slice(5024, 5032)  # the kept normal, a rounded number
    mine = ours.get_state()
    np.testing.assert_allclose(mine[kept].view(np.float64), theirs[kept].view(np.float64), rtol=1e-14)
    mine[kept] = theirs[kept]
    assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("drawn", [0, 1, 5, 623, 624, 625])
def test_state_round_trip(drawn):
    generator = Generator().manual_seed(1)
    generator.uniform(drawn)
    generator.normal(drawn % 2)  # an odd count keeps a normal
    state = generator.get_state()
    copies = [generator.clone_state(), copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))]
    expected = np.concatenate([generator.normal(3), generator.uniform(700)])
    copies += [Generator().set_state(state), generator.set_state(state)]
    for other in copies:
        assert np.array_equal(np.concatenate([other.normal(3), other.uniform(700)]), expected)


def test_state_that_is_none():
    generator = Generator().manual_seed(2)
    state = generator.get_state()
    for wrong, error in (
        (state[:-1], RuntimeError),
        (np.zeros_like(state), RuntimeError),
        (state.astype(np.int64), TypeError),
        ("state", TypeError),
    ):
        with pytest.raises(error):
            generator.set_state(wrong)
    assert np.array_equal(generator.get_state(), state)


def test_default_generator():
    assert random.manual_seed(11) is random.default_generator
    assert random.initial_seed() == 11
    state = random.get_rng_state()
    first = random.randn(3).array
    random.set_rng_state(state)
    assert np.array_equal(random.randn(3).array, first)
    assert np.array_equal(random.randn(3, generator=Generator().manual_seed(11)).array, first)
    assert random.seed() == random.initial_seed() != 11
    assert random.manual_seed("12").initial_seed() == 12  # anything int() takes, as PyTorch


def test_fork_rng():
    random.manual_seed(1)
    expected = random.rand(2).array
    random.manual_seed(1)
    with random.fork_rng():
        random.rand(5)
    with pytest.raises(KeyError), random.fork_rng(devices=[]):
        random.rand(5)
        raise KeyError
    assert np.array_equal(random.rand(2).array, expected)
    before = random.default_generator.get_state()
    with random.fork_rng(enabled=False):
        random.rand(5)
    assert not np.array_equal(random.default_generator.get_state(), before)


def test_results_are_tensors_as_asked_for():
    leaf = random.randn(2, 3, requires_grad=True, device="cpu", dtype=dtypes.float64, pin_memory=True)
    assert leaf.requires_grad and leaf.array.dtype == np.float64 and str(leaf.device) == "cpu"
    assert random.rand_like(leaf, memory_format=None).array.dtype == np.float64
    assert random.randint(5, (2,)).array.dtype == np.int64
    assert random.bernoulli(random.rand(4, requires_grad=True)).requires_grad is False


@pytest.mark.parametrize("strides", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_a_stream_is_laid_out_in_the_order_of_memory(strides):
    array = np.empty((2, 3, 4)).transpose(strides)
    laid = random.laid_out_like(array, np.arange(24))
    assert laid.shape == array.shape and np.argsort(laid.strides).tolist() == np.argsort(array.strides).tolist()
    assert laid.ravel(order="K").tolist() == list(range(24))


@pytest.mark.parametrize("n", [1, 2, 2001, 2500, 40000])
def test_swaps_in_blocks_equal_swaps_in_turn(n):
    picks = np.arange(n - 1) + np.random.default_rng(n).integers(0, 30, n - 1)  # close by, so that blocks have clashes
    picks = np.minimum(picks, n - 1)
    items = list(range(n))
    for i, j in enumerate(picks.tolist()):
        items[i], items[j] = items[j], items[i]
    assert _swap_in_turn(n, picks).tolist() == items


def test_trunc_normal_warns_where_it_is_doubtful():
    with pytest.warns(UserWarning, match="more than 2 std from"):
        values = Generator().manual_seed(0).trunc_normal(50, mean=5.0)
    assert values.min() >= -2 and values.max() <= 2


def test_long_draws_equal_short_ones():
    whole, parts = Generator().manual_seed(4), Generator().manual_seed(4)
    lengths = [1, 70000, 3, 65536, 5]  # across the pieces in which words are drawn
    pieces = [parts.uniform(n) for n in lengths]
    assert np.array_equal(whole.uniform(sum(lengths)), np.concatenate(pieces))


@pytest.mark.parametrize(
    ("draw", "mean", "deviation"),
    [
        (lambda g, n: g.normal(n, 1.0, 2.0), 1.0, 2.0),
        (lambda g, n: g.normal(n, dtype=np.float64, contiguous=False), 0.0, 1.0),
        (lambda g, n: g.uniform(n, -1.0, 3.0), 1.0, 4 / 12**0.5),
        (lambda g, n: g.exponential(n, 2.0), 0.5, 0.5),
        (lambda g, n: g.geometric(n, 0.25), 4.0, 12**0.5),
        (lambda g, n: g.bernoulli(0.3, n), 0.3, 0.21**0.5),
        (lambda g, n: g.dropout_mask(n, 0.2), 1.0, 0.5),
        (lambda g, n: g.randint(-3, 7, n), 1.5, 8.25**0.5),
        (lambda g, n: g.multinomial(np.array([1.0, 3.0]), n, True), 0.75, 0.1875**0.5),
    ],
)
def test_moments(draw, mean, deviation):
    n = 40000
    values = draw(Generator().manual_seed(0), n).astype(np.float64)
    assert abs(values.mean() - mean) < 4 * deviation / n**0.5
    assert abs(values.std() / deviation - 1) < 0.03
