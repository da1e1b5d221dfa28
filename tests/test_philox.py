"""The GPU's random numbers: Philox's published answers, the draws made of it, their state; on the stand-in for CuPy."""

import copy
import math
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from strict_cupy import StrictArray, as_cuda, capturing, no_sync

import minigrad as mg
from minigrad import cuda, random
from minigrad.generator import Generator
from minigrad.kernels import common, philox
from minigrad.philox import PhiloxGenerator

# Random123's known answers for Philox4x32-10: counter, key, words.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.fixture(autouse=True)
def cuda_device() -> Iterator[None]:
    with as_cuda(common):
        yield


def numbers(text: str) -> list:
    return [np.array([int(word, 16)], np.uint64) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert list(philox.philox4x32(numbers(counter), numbers(key))) == numbers(words)


def test_words_are_those_of_the_counters():
    state = np.array([7 + (9 << 32), 2**32 - 2], np.uint64)
    found = philox.philox_words(state, 1, 9)  # counters 2^32 - 1, 2^32 and 2^32 + 1: the carry reaches the second word
    assert found.dtype == np.uint32
    for block, counter in enumerate([[2**32 - 1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]]):
        words = philox.philox4x32([np.array([c], np.uint64) for c in counter], numbers("7 9"))
        assert found[4 * block : 4 * block + 4].tolist() == [int(w[0]) for w in words][: 9 - 4 * block]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniforms_reach_what_they_may(dtype, monkeypatch):
    def extreme(state, skip, n):
        return np.array([0, 0, 2**32 - 1, 2**32 - 1], np.uint32)[:n]

    monkeypatch.setattr(philox, "philox_words", extreme)
    n = 4 if dtype == "float32" else 2
    values = philox.philox_uniform(np.zeros(2, np.uint64), 0, n, dtype)
    digits = 24 if dtype == "float32" else 53
    assert values.dtype == dtype and values[0] == 0 and values[-1] == 1 - 2.0**-digits
    normals = philox.philox_normal(np.zeros(2, np.uint64), 0, n, dtype)
    assert np.isfinite(normals).all() and normals.dtype == dtype
    if dtype == "float32":
        assert abs(normals[0]) == pytest.approx(math.sqrt(64 * math.log(2)))


def generator(seed: int = 3) -> PhiloxGenerator:
    made = Generator("cuda").manual_seed(seed)
    assert type(made) is PhiloxGenerator
    return made


DRAWS = {
    "uniform": (lambda g, n: g.uniform(n), 0.5, 1 / 12),
    "uniform on an interval": (lambda g, n: g.uniform((n,), -1.0, 3.0, np.float64), 1.0, 16 / 12),
    "normal": (lambda g, n: g.normal(n), 0.0, 1.0),
    "normal with mean and std": (lambda g, n: g.normal((n // 2, 2), 2.0, 0.5, np.float64), 2.0, 0.25),
    "exponential": (lambda g, n: g.exponential(n, 2.0), 0.5, 0.25),
    "log_normal": (lambda g, n: g.log_normal(n, 0.0, 0.5), math.exp(0.125), (math.exp(0.25) - 1) * math.exp(0.25)),
    "geometric": (lambda g, n: g.geometric(n, 0.25), 4.0, 12.0),
    "randint": (lambda g, n: g.randint(-3, 7, (n,)), 1.5, 99 / 12),
    "bernoulli": (lambda g, n: g.bernoulli(0.3, (n,)), 0.3, 0.21),
    "dropout_mask": (lambda g, n: g.dropout_mask((n,), 0.2), 1.0, 0.25),
    "trunc_normal": (lambda g, n: g.trunc_normal((n,), 1.0, 2.0, 0.0, 2.0, np.float64), 1.0, 0.31937),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_draws_have_the_mean_and_variance_they_should(name):
    draw, mean, variance = DRAWS[name]
    n = 40_000
    with no_sync():
        values = draw(generator(), n)
    assert type(values) is StrictArray
    values = values.get().astype(np.float64)
    assert values.size == n
    assert abs(values.mean() - mean) < 5 * math.sqrt(variance / n)
    assert values.var() == pytest.approx(variance, rel=0.06)


def test_shapes_and_ranges():
    g = generator()
    assert g.uniform((2, 0, 3)).shape == (2, 0, 3) and g.normal(()).shape == () and g.randint(0, 2, 3).shape == (3,)
    assert g.uniform(1000, 0.0, 1e-3, np.float16).get().max() < np.float16(1e-3)
    values = g.trunc_normal((2000,), 0.0, 1.0, -0.5, 1.5).get()
    assert values.min() >= -0.5 and values.max() <= 1.5
    assert set(g.randint(-(2**63), 2**63 - 1, 4).get().dtype.name.split()) == {"int64"}
    assert set(np.unique(g.randint(0, 3, (200,)).get())) == {0, 1, 2}
    assert g.random((500,), np.uint8).get().max() > 200
    median = np.median(g.cauchy((20_001,), 3.0).get())
    assert abs(median - 3.0) < 0.1
    np.testing.assert_array_equal(np.sort(g.randperm(257).get()), np.arange(257))
    assert not np.array_equal(g.randperm(257).get(), g.randperm(257).get())
    assert g.dropout_mask((3,), 1.0).get().tolist() == [0, 0, 0]
    assert set(np.unique(g.dropout_mask((99,), 0.75).get())) == {0, 4}


def test_multinomial_follows_the_weights_and_never_picks_a_zero():
    g = generator()
    weights = np.array([[0.0, 1.0, 3.0], [5.0, 0.0, 5.0]])
    for picked in (
        g.multinomial(weights, 4000, True).get(),
        np.hstack([g.multinomial(weights, 1).get() for _ in range(800)]),
    ):
        shares = np.stack([(picked == c).mean(axis=1) for c in range(3)], axis=1)
        np.testing.assert_allclose(shares, weights / weights.sum(axis=1, keepdims=True), atol=0.06)
        assert (shares[weights == 0] == 0).all()
    both = g.multinomial(weights, 2).get()
    assert sorted(both[0]) == [1, 2] and sorted(both[1]) == [0, 2]


def test_the_draws_refuse_what_the_cpus_refuse():
    g = generator()
    for wrong in (
        lambda g: g.uniform(2, 3.0, 1.0), lambda g: g.normal(2, 0.0, -1.0), lambda g: g.exponential(2, 0.0),
        lambda g: g.cauchy(2, 0.0, 0.0), lambda g: g.log_normal(2, 0.0, 0.0), lambda g: g.geometric(2, 1.0),
        lambda g: g.randint(3, 3, 2), lambda g: g.randint(0, 300, 2, np.uint8), lambda g: g.randperm(-1),
        lambda g: g.bernoulli(1.5), lambda g: g.dropout_mask(2, 1.5), lambda g: g.multinomial(np.ones(2), 3),
        lambda g: g.multinomial(-np.ones(2), 1), lambda g: g.trunc_normal(2, 0.0, 0.0),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, ValueError)) as of_gpu:
            wrong(g)
        with pytest.raises(of_gpu.type):
            wrong(Generator())
    assert g.offset == 0


# ---------------------------------------------------------------- seeds and states


def test_the_state_is_seed_and_offset():
    g = generator(11)
    assert g.get_state().tolist() == [11, *[0] * 15]
    g.uniform(9)
    assert g.offset == 3 and g.get_state()[8] == 3
    state = g.get_state()
    wanted = g.normal(5).get()
    copies = [Generator("cuda").set_state(state), g.clone_state()]
    g.set_state(state)
    copies += [copy.deepcopy(g), pickle.loads(pickle.dumps(g))]
    for other in (g, copies[0], *copies[2:]):
        np.testing.assert_array_equal(other.normal(5).get(), wanted)
        assert other.initial_seed() == 11
    with pytest.raises(RuntimeError, match="16 bytes"):
        g.set_state(Generator().get_state())
    with pytest.raises(TypeError, match="uint8"):
        g.set_state(np.zeros(16))


def test_calls_of_a_stream_do_not_overlap():
    g, whole = generator(), generator()
    parts = [g.uniform(4), g.uniform(8)]
    assert np.concatenate([p.get() for p in parts]).tolist() == whole.uniform(12).get().tolist()


def test_replaying_moves_on():
    g, eager = generator(), generator()
    g.uniform(6)
    eager.uniform(6)
    g.begin_replay()
    start = g.skip
    with capturing():
        captured = g.uniform(5)  # a graph has this skip baked in, and reads the rest from memory
    assert captured.get().tolist() == eager.uniform(5).get().tolist()
    memory = g.device_state
    for _ in range(2):
        g.begin_replay()
        assert g.device_state is memory
        again = philox.philox_uniform(memory, start, 5, "float32")
        g.skip += 2
        assert again.get().tolist() == eager.uniform(5).get().tolist()


def test_each_device_has_a_stream_and_one_seed_starts_all():
    mg.manual_seed(5)
    on_host, on_device = mg.rand(8, device="cpu"), mg.rand(8, device="cuda")
    assert type(on_device.array) is StrictArray and on_host.tolist() != on_device.tolist()
    mg.manual_seed(5)
    mg.rand(3, device="cpu")  # the other device's stream does not move
    assert mg.rand(8, device="cuda").tolist() == on_device.tolist()
    state = cuda_state = random.generator_of("cuda").get_state()
    first = mg.randn(4, device="cuda")
    with random.fork_rng():
        mg.randn(4, device="cuda")
        random.generator_of("cuda").manual_seed(1)
    second = mg.randn(4, device="cuda")
    random.generator_of("cuda").set_state(state)
    assert [mg.randn(4, device="cuda").tolist(), mg.randn(4, device="cuda").tolist()] == [
        first.tolist(),
        second.tolist(),
    ]
    assert cuda_state.shape == (16,)


def test_every_function_draws_on_its_device():
    mg.manual_seed(1)
    x = mg.rand(3, 4, device="cuda")
    made = [
        mg.randn(2, device="cuda"), mg.randint(0, 5, (3,), device="cuda"), mg.randperm(6, device="cuda"),
        mg.rand_like(x), mg.randn_like(x.mT), mg.randint_like(x, 9), mg.bernoulli(x), mg.multinomial(x, 2),
        mg.normal(x, 0.5), mg.normal(0.0, x), x.clone().uniform_(2, 3), x.clone().normal_(), x.clone().exponential_(),
        x.clone().bernoulli_(0.5), x.clone().bernoulli_(x), x.clone().random_(4), x.clone().geometric_(0.5),
        mg.nn.functional.dropout(x, 0.5), mg.nn.functional.dropout2d(x[None, :, :, None], 0.5),
    ]  # fmt: skip
    assert all(type(y.array) is StrictArray for y in made)
    assert random.default_generator.get_state().tolist() == mg.manual_seed(1).get_state().tolist()


def test_a_training_step_with_dropout_does_not_wait():
    x = mg.ones(4, 8, device="cuda", requires_grad=True)
    with no_sync():
        y = mg.nn.functional.dropout(x * 2, 0.5)
        y.sum().backward()
    kept = (y > 0).tolist()
    assert x.grad.tolist() == [[4.0 if k else 0.0 for k in row] for row in kept]


def test_weights_are_drawn_on_the_host():
    mg.manual_seed(2)
    here = mg.nn.Linear(3, 4)
    mg.manual_seed(2)
    there = mg.nn.Linear(3, 4, device="cuda")
    assert type(there.weight.array) is StrictArray and there.weight.tolist() == here.weight.tolist()


@pytest.mark.parametrize("fill", ["uniform_", "normal_", "trunc_normal_", "orthogonal_", "kaiming_uniform_", "sparse_"])
def test_initial_weights_may_come_from_the_gpus_generator_if_asked(fill):
    weights = []
    for _ in range(2):
        w, extra = mg.zeros(4, 3, device="cuda"), (0.3,) if fill == "sparse_" else ()
        weights.append(getattr(mg.nn.init, fill)(w, *extra, generator=mg.Generator("cuda").manual_seed(6)).tolist())
    assert fill == "sparse_" or weights[0] == weights[1]  # sparse_ chooses its zeros by the default generator
    assert any(weights[0][0])


def test_generators_of_the_other_device():
    g = mg.Generator().manual_seed(4)
    drawn = mg.rand(5, generator=g, device="cuda")
    assert drawn.device.type == "cuda" and drawn.tolist() == mg.rand(5, generator=g.manual_seed(4)).tolist()
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'cuda'"):
        mg.rand(5, generator=mg.Generator("cuda"))


def test_vmap_draws_for_each_example():
    x = mg.ones(6, 3, device="cuda")
    different = mg.func.vmap(lambda row: mg.nn.functional.dropout(row, 0.5), randomness="different")(x)
    same = mg.func.vmap(lambda row: mg.nn.functional.dropout(row, 0.5), randomness="same")(x)
    assert len({tuple(row) for row in different.tolist()}) > 1 and len({tuple(row) for row in same.tolist()}) == 1
    with pytest.raises(RuntimeError, match="randomness error mode"):
        mg.func.vmap(lambda row: mg.nn.functional.dropout(row, 0.5))(x)


def test_cudas_own_functions(monkeypatch):
    monkeypatch.setattr(cuda, "current_device", lambda: 0)
    monkeypatch.setattr(cuda, "device_count", lambda: 1)
    cuda.manual_seed(8)
    assert cuda.initial_seed() == 8 and random.initial_seed() == 0
    states = cuda.get_rng_state_all()
    assert states[0].dtype is mg.uint8 and states[0].shape == (16,) and states[0].device.type == "cpu"
    first = mg.rand(3, device="cuda")
    cuda.set_rng_state_all(states)
    assert mg.rand(3, device="cuda").tolist() == first.tolist()
    cuda.set_rng_state(cuda.get_rng_state())
    cuda.manual_seed_all(8)
    assert mg.rand(3, device="cuda").tolist() == first.tolist()
    cuda.seed()
    assert cuda.initial_seed() != 8
    cuda.seed_all()
