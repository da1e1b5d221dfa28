"""One process: distributed training in a world of one, wrappers of models, and Python's own processes."""

import multiprocessing as plain
import warnings

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.data import TensorDataset
from minigrad.data.distributed import DistributedSampler
from minigrad.nn import parallel
from minigrad.onemachine import distributed as dist, multiprocessing as mp


@pytest.fixture
def group():
    dist.init_process_group("nccl", rank=0, world_size=1)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def test_a_world_of_one(group) -> None:
    assert dist.is_available() and dist.is_initialized() and not dist.is_nccl_available()
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "nccl")
    x = mg.tensor([1.0, 2.0])
    for op in (dist.ReduceOp.SUM, dist.ReduceOp.AVG, dist.ReduceOp.MAX):
        assert dist.all_reduce(x, op=op) is None
    dist.reduce(x, 0)
    dist.broadcast(x, src=0)
    work = dist.all_reduce(x, async_op=True)
    assert work.wait() and work.is_completed()
    assert x.tolist() == [1.0, 2.0]
    out = [mg.zeros(2)]
    dist.all_gather(out, x)
    assert out[0].equal(x) and dist.barrier() is None
    with pytest.raises(ValueError, match="there is no rank 1"):
        dist.broadcast(x, src=1)
    with pytest.raises(ValueError, match="a tensor for each of 1 process, it has 2"):
        dist.all_gather([x, x], x)
    with pytest.raises(TypeError, match="expected a Tensor, got float"):
        dist.all_reduce(1.0)
    with pytest.raises(TypeError, match="expected a ReduceOp"):
        dist.all_reduce(x, op="sum")
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("gloo")
    dist.destroy_process_group()
    assert not dist.is_initialized()


def test_without_a_group(monkeypatch) -> None:
    for call in (
        dist.get_rank,
        dist.get_world_size,
        dist.get_backend,
        dist.barrier,
        lambda: dist.all_reduce(mg.ones(1)),
    ):
        with pytest.raises(ValueError, match="Default process group has not been initialized"):
            call()
    with pytest.raises(AssertionError, match="Process group cannot be None"):
        dist.destroy_process_group()
    with pytest.raises(RuntimeError, match="expected world_size=1 and rank=0, got 4 and 2"):
        dist.init_process_group("gloo", world_size=4, rank=2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="got 2 and 0"):
        dist.init_process_group("gloo")
    assert not dist.is_initialized() and not dist.is_torchelastic_launched()


def test_data_parallel_is_the_model_with_module_in_its_names() -> None:
    model = nn.Linear(2, 3)
    wrapped = nn.DataParallel(model)
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"] and wrapped.module is model
    x = mg.ones(1, 2)
    assert wrapped(x).equal(model(x)) and parallel.data_parallel(model, x).equal(model(x))
    assert nn.DataParallel(model, device_ids=[0]).device_ids == [0]
    for call in (
        lambda: nn.DataParallel(model, device_ids=[0, 1]),
        lambda: parallel.data_parallel(model, x, device_ids=[0, 1]),
        lambda: parallel.scatter(x, [0, 1]),
    ):
        with pytest.raises(ValueError, match=r"runs a model on one device, got device_ids=\[0, 1\]"):
            call()
    (part,) = parallel.scatter((x, {"y": x, "n": 3}), ["cpu"])
    assert part[0].equal(x) and part[1]["n"] == 3
    with pytest.raises(TypeError, match="speed"):
        nn.DataParallel(model, speed=2)


def test_distributed_data_parallel(group) -> None:
    model = parallel.DistributedDataParallel(nn.Linear(2, 1), device_ids=[0], find_unused_parameters=True)
    with model.no_sync():
        assert not model.require_backward_grad_sync
        model(mg.ones(1, 2)).sum().backward()
    assert model.require_backward_grad_sync and model.module.weight.grad.tolist() == [[1.0, 1.0]]
    assert repr(model).startswith("DistributedDataParallel(\n  (module): Linear(")
    with pytest.raises(RuntimeError, match="doesn't have any parameters"):
        parallel.DistributedDataParallel(nn.ReLU())
    dist.destroy_process_group()
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        parallel.DistributedDataParallel(nn.Linear(2, 1))


def test_distributed_sampler_draws_as_pytorch_does() -> None:
    data = TensorDataset(mg.arange(10))
    sampler = DistributedSampler(data, num_replicas=1, rank=0, seed=3)
    assert list(sampler) == [6, 0, 3, 7, 8, 5, 1, 9, 2, 4]  # PyTorch 2.13
    sampler.set_epoch(1)
    assert list(sampler) == [0, 4, 9, 6, 7, 3, 2, 8, 1, 5]
    shares = [list(DistributedSampler(data, 3, rank, shuffle=False)) for rank in range(3)]
    assert shares == [[0, 3, 6, 9], [1, 4, 7, 0], [2, 5, 8, 1]]  # filled up from the start
    short = [list(DistributedSampler(data, 3, rank, shuffle=False, drop_last=True)) for rank in range(3)]
    assert short == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert len(DistributedSampler(data, 4, 0)) == 3
    with pytest.raises(ValueError, match="Invalid rank 3"):
        DistributedSampler(data, 3, 3)
    with pytest.raises(ValueError, match="Default process group"):
        DistributedSampler(data)


def test_spawn_runs_one_process_here() -> None:
    calls = []
    assert mp.spawn(lambda rank, name: calls.append((rank, name)), args=("a",), nprocs=1) is None
    assert mp.spawn(lambda rank: calls.append(rank), nprocs=0, join=False).join() and calls == [(0, "a")]
    with pytest.raises(RuntimeError, match="minigrad trains in one process, got nprocs=2"):
        mp.spawn(print, nprocs=2)
    mp.set_sharing_strategy("file_system")
    with pytest.raises(ValueError, match="expected 'file_descriptor'"):
        mp.set_sharing_strategy("paper")


def test_processes_are_pythons() -> None:
    assert mg.multiprocessing is mp
    assert (mp.Process, mp.Queue, mp.get_context) == (plain.Process, plain.Queue, plain.get_context)


def test_shared_memory_is_seen_across_a_fork() -> None:
    model = nn.Linear(2, 1)
    weight, before = model.weight, model.weight.tolist()
    assert not weight.is_shared() and model.share_memory() is model
    assert model.weight is weight and weight.is_shared() and weight.tolist() == before and weight.requires_grad
    assert mg.zeros(0).share_memory_().is_shared() and weight.share_memory_() is weight
    if "fork" in plain.get_all_start_methods():
        child = plain.get_context("fork").Process(target=_set_to_seven, args=(weight,))
        with warnings.catch_warnings():  # Python 3.12 warns of threads in general; the child starts none
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        child.join(60)
        assert child.exitcode == 0 and weight.tolist() == [[7.0, 7.0]]
    with pytest.raises(RuntimeError, match="takes leaf tensors"):
        (weight * 2).share_memory_()


def _set_to_seven(weight: mg.Tensor) -> None:
    weight.array[...] = 7.0  # no kernel: threads do not survive a fork
