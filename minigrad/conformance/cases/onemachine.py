"""Cases of what one machine answers for: what PyTorch's CPU build says, from GPUs that are not there to processes.

Where PyTorch and minigrad must differ the case says so and tells what both owe the program. Written so that they come
out the same where minigrad finds a GPU.
"""

import os
import tempfile
from pathlib import Path

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import errors, numbers

case = cases_of("onemachine")


def refused(torch, call):
    """True where a device that is not there is refused, and one that is there is not. PyTorch's CPU build asserts or
    lacks the function, its CUDA build raises RuntimeError, as minigrad does: the types are not told.
    """
    try:
        call()
    except (AssertionError, AttributeError, RuntimeError, TypeError):
        return not torch.cuda.is_available()
    return torch.cuda.is_available()


@case(
    "torch.cuda.is_available", "torch.cuda.device_count", "torch.accelerator.is_available",
    "torch.accelerator.current_accelerator", "torch.accelerator.device_count", "torch.accelerator.set_device_index",
    "torch.backends.mps.is_available",
)  # fmt: skip
def what_devices_there_are(torch):
    there = torch.cuda.is_available()
    return {
        "bools": [type(there).__name__, type(torch.accelerator.is_available()).__name__],
        "agree": [
            (torch.cuda.device_count() > 0) == there,
            torch.accelerator.is_available() == there,
            (torch.accelerator.current_accelerator() is not None) == there,
            torch.accelerator.device_count() == torch.cuda.device_count(),
        ],
        "mps": torch.backends.mps.is_available(),
        "chosen": str(torch.device("cuda" if there else "cpu")) in ("cuda", "cpu"),
        "set": refused(torch, lambda: torch.accelerator.set_device_index(0)),
    }


@case(
    ".cuda", ".is_cuda", "torch.cuda.set_device", "torch.cuda.synchronize", "torch.cuda.get_device_name",
    "torch.cuda.FloatTensor", "nn.parallel.scatter",
)  # fmt: skip
def a_gpu_that_is_not_there(torch):
    x = torch.ones(2)
    return {
        "is_cuda": x.is_cuda,
        "name": torch.cuda.FloatTensor.__name__,
        "negative": torch.cuda.set_device(-1),
        "refused": [
            refused(torch, lambda: x.cuda()),
            refused(torch, lambda: torch.nn.Linear(1, 1).cuda()),
            refused(torch, lambda: x.to("cuda")),
            refused(torch, lambda: torch.ones(1, device="cuda")),
            refused(torch, lambda: torch.cuda.set_device(0)),
            refused(torch, lambda: torch.cuda.synchronize()),
            refused(torch, lambda: torch.cuda.get_device_name(0)),
            refused(torch, lambda: torch.cuda.FloatTensor(2)),
            refused(torch, lambda: torch.nn.parallel.scatter(x, [0])),
        ],
    }


@case(
    "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "torch.cuda.empty_cache", "torch.cuda.max_memory_allocated",
    "torch.cuda.is_bf16_supported", "torch.cuda.reset_peak_memory_stats",
)  # fmt: skip
def questions_that_do_nothing_without_a_gpu(torch):
    torch.manual_seed(0)
    told = [torch.cuda.manual_seed(3), torch.cuda.manual_seed_all(3), torch.cuda.empty_cache(), torch.rand(2)]
    memory, bfloat16 = torch.cuda.max_memory_allocated(), torch.cuda.is_bf16_supported()
    return {
        "told": told,
        "without": [memory, bfloat16] if not torch.cuda.is_available() else [0, False],
        "reset": refused(torch, lambda: torch.cuda.reset_peak_memory_stats()),
    }


@case("torch.mps.synchronize", "torch.version.__version__", ".is_sparse", "torch.preserve_format", ".pin_memory")
def plain_answers(torch):
    x = numbers(torch, 2, 3).t()
    kept = [torch.zeros_like(x, memory_format=torch.preserve_format), x.clone(memory_format=torch.preserve_format)]
    # PyTorch's CPU build refuses to pin memory; programs ask for it as a hint, so minigrad hands the tensor back.
    return {
        "mps": errors(lambda: torch.mps.synchronize()),
        "version": torch.version.__version__.split("+")[0],
        "flags": [x.is_sparse, torch.nn.Parameter(x).is_sparse, x.is_pinned(), callable(x.pin_memory)],
        "kept": kept,
    }


@case(
    "torch.backends.cudnn.benchmark", "torch.backends.cudnn.deterministic", "torch.backends.cudnn.allow_tf32",
    "torch.backends.cuda.matmul.allow_tf32",
)  # fmt: skip
def switches_of_libraries(torch):
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    told = [cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32]
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = True, True, False, True
    changed = [cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32]
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = told
    return [told, changed]


@case("torch.use_deterministic_algorithms", "torch.set_float32_matmul_precision")
def switches_of_arithmetic(torch):
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("high")
    torch.set_float32_matmul_precision("no")  # warns, and changes nothing
    told = [torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()]
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    told += [torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()]
    return [told, errors(lambda: torch.use_deterministic_algorithms(1))]


@case("torch.amp.autocast", "torch.autocast")
def autocast(torch):
    # Figures that bfloat16 holds: PyTorch multiplies in it, minigrad in the dtype of the tensors.
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = x @ x
        within = torch.is_autocast_enabled("cpu")
        with torch.amp.autocast("cpu", enabled=False):
            exact, inside = x @ x, torch.is_autocast_enabled("cpu")
    y.float().sum().backward()

    @torch.autocast(device_type="cpu")
    def product(a):
        return (a @ a).float()

    return {
        "value": [y.float(), x.grad, exact, product(x)],
        "enabled": [within, inside, torch.is_autocast_enabled("cpu")],
        "elsewhere": refused(torch, lambda: torch.ones(1).cuda()) and bool(torch.amp.autocast("cuda", enabled=False)),
        "errors": errors(lambda: torch.autocast("no"), lambda: torch.autocast(3)),
    }


@case("torch.cuda.amp.GradScaler")
def gradient_scaler(torch):
    off = torch.cuda.amp.GradScaler(enabled=False)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    x = torch.ones(2, requires_grad=True)
    optimizer, told = torch.optim.SGD([x], lr=0.1), []
    for factor in (1.0, float("inf"), 1.0, 2.0):
        optimizer.zero_grad()
        scaler.scale((x * factor).sum()).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        told.append([x.detach().clone(), scaler.get_scale()])
    loss = x.sum()
    return {
        "off": [off.is_enabled(), off.scale(loss) is loss, off.state_dict(), off.get_scale()],
        "told": told,
        "state": scaler.state_dict(),
        "errors": errors(
            lambda: (scaler.unscale_(optimizer), scaler.unscale_(optimizer)),
            lambda: torch.amp.GradScaler("cpu").update(),
            lambda: torch.amp.GradScaler("cpu", growth_factor=0.5),
            lambda: torch.amp.GradScaler("cpu").scale(1.0),
            lambda: scaler.load_state_dict({}),
        ),
    }


@case("nn.DataParallel", "nn.parallel.data_parallel", "nn.NonDynamicallyQuantizableLinear", "M.share_memory")
def modules_of_several_devices(torch):
    nn, x = torch.nn, numbers(torch, 2, 3)
    torch.manual_seed(0)
    wrapped = nn.DataParallel(nn.Linear(3, 2))
    y = wrapped(x)
    y.sum().backward()
    # PyTorch keeps this one in nn.modules.linear alone.
    kind = getattr(nn, "NonDynamicallyQuantizableLinear", None) or nn.modules.linear.NonDynamicallyQuantizableLinear
    shared = nn.Linear(2, 2)
    return {
        "wrapped": [repr(wrapped), list(wrapped.state_dict()), y, wrapped.module.weight.grad],
        "plain": [callable(nn.parallel.data_parallel), repr(kind(2, 3, bias=False))],  # on a CPU PyTorch's refuses
        "shared": [shared.share_memory() is shared, shared.weight.is_shared(), shared.weight.is_leaf],
    }


@case(
    "torch.distributed.init_process_group", "torch.distributed.destroy_process_group", "torch.distributed.all_reduce",
    "torch.distributed.ReduceOp.SUM", "torch.distributed.ReduceOp.AVG", "nn.parallel.DistributedDataParallel",
)  # fmt: skip
def a_world_of_one_process(torch):
    world, wrapper = torch.distributed, torch.nn.parallel.DistributedDataParallel
    outside = errors(
        lambda: wrapper(torch.nn.Linear(1, 1)), lambda: world.all_reduce(torch.ones(1)), lambda: world.get_rank()
    )
    with tempfile.TemporaryDirectory() as folder:
        world.init_process_group("gloo", init_method=Path(folder, "meet").as_uri(), rank=0, world_size=1)
        told = [
            world.is_available(),
            world.is_initialized(),
            world.get_rank(),
            world.get_world_size(),
            world.get_backend(),
        ]
        x = numbers(torch, 3)
        returned = [world.all_reduce(x), world.all_reduce(x, op=world.ReduceOp.SUM), world.barrier()]
        world.all_reduce(x, op=world.ReduceOp.AVG)
        work = world.all_reduce(x, async_op=True)
        torch.manual_seed(0)
        model = wrapper(torch.nn.Linear(3, 1))
        model(x[None]).sum().backward()
        told += [returned, work.wait(), x, list(model.state_dict()), model.module.weight.grad]
        twice = errors(lambda: world.init_process_group("gloo", rank=0, world_size=1))
        world.destroy_process_group()
    return {
        "told": told,
        "kinds": [world.ReduceOp.SUM == world.ReduceOp.SUM, world.ReduceOp.SUM == world.ReduceOp.AVG],
        "errors": outside + twice + errors(lambda: world.destroy_process_group(), lambda: world.get_world_size()),
    }


@case("torch.utils.data.distributed.DistributedSampler")
def shares_of_a_data_set(torch):
    kind = torch.utils.data.distributed.DistributedSampler

    def share(rank, **options):
        return list(kind(range(7), num_replicas=3, rank=rank, **options))

    sampler = kind(range(7), 2, 0, seed=5)
    epochs = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    return {
        "in order": [[share(rank, shuffle=False) for rank in range(3)], share(1, shuffle=False, drop_last=True)],
        "shuffled": [share(rank) for rank in range(3)],
        "epochs": [epochs, len(sampler)],
        "errors": errors(lambda: share(3), lambda: share(-1)),
    }


def write(rank, path, text):
    """What a child process does here."""
    Path(path).write_text(f"{text} {rank}", encoding="utf-8")


@case("torch.multiprocessing.spawn", "torch.multiprocessing.Process", "torch.multiprocessing.set_start_method")
def processes(torch):
    processes = torch.multiprocessing
    before = processes.get_start_method(allow_none=True)
    processes.set_start_method("fork", force=True)
    told = [processes.get_start_method(), errors(lambda: processes.set_start_method("fork"))]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "told")
        child = processes.Process(target=write, args=(7, path, "child"))
        child.start()
        child.join()
        told += [child.exitcode, Path(path).read_text(encoding="utf-8")]
        processes.spawn(write, args=(path, "spawned"), nprocs=1)
        told.append(Path(path).read_text(encoding="utf-8"))
    processes.set_start_method(before, force=True)
    return told


def twice(x):
    """What is compiled here."""
    return x * 2 + 1


@case("torch.compile", "torch.jit.script")
def compilers(torch):
    # minigrad hands the function back. The state dict is not told: PyTorch puts "_orig_mod." in front of its names.
    x = numbers(torch, 2, 3).requires_grad_()
    torch.manual_seed(0)
    model = torch.compile(torch.nn.Linear(3, 2), backend="eager")
    scripted = torch.jit.script(torch.nn.Linear(3, 2))
    y = torch.compile(twice, backend="eager", fullgraph=True)(x)
    y.sum().backward()

    @torch.compile(backend="eager")
    def decorated(a):
        return a - 1

    return {
        "value": [y, x.grad, model(x), scripted(x), decorated(x), torch.jit.script(twice)(x)],
        "parameters": [p.shape for p in model.parameters()] + list(scripted.state_dict()),
        "errors": errors(lambda: torch.compile(twice, mode="default", options={"trace": True})),
    }


@case("torch.onnx.export")
def onnx(torch):
    # What it would write needs packages beside PyTorch; minigrad's says that it writes no such files.
    return callable(torch.onnx.export)


class Vouched:
    """A class that a file may hold here."""


@case("torch.serialization.safe_globals")
def classes_that_a_file_may_hold(torch):
    serialization = torch.serialization
    before = list(serialization.get_safe_globals())
    with serialization.safe_globals([Vouched]):
        within = Vouched in serialization.get_safe_globals()
    return [within, Vouched in serialization.get_safe_globals(), serialization.get_safe_globals() == before]


@case(
    "torch.profiler.profile", "torch.profiler.schedule", "torch.profiler.ProfilerActivity.CPU",
    "torch.profiler.ProfilerActivity.CUDA", "torch.profiler.tensorboard_trace_handler",
)  # fmt: skip
def profiler(torch):
    tools = torch.profiler
    plan = tools.schedule(wait=1, warmup=1, active=2, repeat=1, skip_first=1)
    ready: list = []
    with tools.profile(activities=[tools.ProfilerActivity.CPU], schedule=plan, on_trace_ready=ready.append) as run:
        for _ in range(6):
            torch.ones(2).exp()
            run.step()
    with tempfile.TemporaryDirectory() as folder:
        with tools.profile(on_trace_ready=tools.tensorboard_trace_handler(folder, "me")) as run:
            (torch.ones(2, 2) @ torch.ones(2, 2)).sum()
        written: list = [[name.split(".")[0], name.endswith(".pt.trace.json")] for name in os.listdir(folder)]
        with tools.profile() as other:
            torch.ones(2).exp()
        other.export_chrome_trace(os.path.join(folder, "trace.json"))
        written.append(Path(folder, "trace.json").stat().st_size > 0)
    table = run.key_averages().table(sort_by="cpu_time_total", row_limit=5)
    return {
        "plan": [plan(step).name for step in range(8)],
        "kinds": [tools.ProfilerActivity.CPU.name, tools.ProfilerActivity.CUDA.name],
        "told": [len(ready), written, "matmul" in table or "mm" in table, "Self CPU" in table],
        "errors": errors(lambda: tools.schedule(wait=-1, warmup=0, active=1), lambda: tools.schedule(wait=1)),
    }
