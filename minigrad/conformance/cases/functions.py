"""Cases of new tensors, dtypes, devices and the values of torch itself."""

import numpy as np

from minigrad.conformance.case import cases_of, error_of, everywhere

case = cases_of("functions")


@case("tensor", "Tensor")
def tensor(torch):
    ones = torch.ones(2)
    copied = torch.tensor(ones)
    ones[0] = 5
    return {
        "floats": torch.tensor([[1.5, 2.0], [3.0, -1.0]], requires_grad=True),
        "kinds": [torch.tensor(x) for x in (1, 2.5, True, [], [True, False], (1, 2.5), [[1], [2]], range(3))],
        "dtype": torch.tensor([1, 2], dtype=torch.float64),
        "NumPy": [torch.tensor(np.arange(3, dtype=np.int16)), torch.tensor(np.float64(2)), torch.tensor(np.eye(2))],
        "tensors inside": torch.tensor([torch.tensor(1), torch.tensor(2)]),
        "a copy": copied,
        "a leaf": [torch.tensor(1.0).is_leaf, torch.tensor(1.0).requires_grad],
        "device": str(torch.tensor(1, device="cpu").device),
        "a type": [isinstance(copied, torch.Tensor), torch.is_tensor(copied), torch.is_tensor([1.0])],
        "the old constructor": [torch.Tensor([1, 2]), torch.Tensor(2, 3).shape, torch.Tensor().shape],
        "printed": str(torch.tensor([[1.5, 2.0], [3.0, -1.0]], requires_grad=True)),
        "ragged": error_of(lambda: torch.tensor([[1, 2], [3]])),
        "strings": error_of(lambda: torch.tensor(["a"])),
        "a string": error_of(lambda: torch.tensor("a")),
        "None": error_of(lambda: torch.tensor(None)),
        "an int with gradient": error_of(lambda: torch.tensor([1, 2], requires_grad=True)),
        "the old one of a dict": error_of(lambda: torch.Tensor({})),
    }


def _filled(name):
    def program(torch):
        function = getattr(torch, name)
        return {
            "sizes": function(2, 3),
            "one tuple": function((2, 1)),
            "a Size": function(torch.Size([1, 2])),
            "keyword": function(size=(2,)),
            "options": function(2, dtype=torch.int16, device="cpu"),
            "requires grad": function(1, requires_grad=True),
            "0-d": function(()),
            "empty": function(0, 3),
            "negative": error_of(lambda: function(-1)),
            "floats": error_of(lambda: function(2.0)),
            "unknown option": error_of(lambda: function(2, like=None, of=1)),
        }

    program.__name__ = name
    return program


for _name in ("zeros", "ones"):
    case(*everywhere(_name))(_filled(_name))


@case("empty")
def empty(torch):
    return {
        "shapes": [torch.empty(2, 3).shape, torch.empty((2, 1)).shape, torch.empty(size=(1,)).shape],
        "dtype": str(torch.empty(1, dtype=torch.int32).dtype),
        "requires grad": torch.empty(0, requires_grad=True),
        "negative": error_of(lambda: torch.empty(-1)),
    }


@case(*everywhere("full"))
def full(torch):
    return {
        "types": [torch.full((2,), value) for value in (1, 2.5, True)],
        "dtype": torch.full((1, 2), 3, dtype=torch.float64),
        "keyword": torch.full(size=[2], fill_value=-1.0, requires_grad=True),
        "0-d": torch.full((), 7),
        "inf": torch.full((1,), -float("inf")),
        "of a tensor": torch.full((2,), torch.tensor(3.0)),
        "size a number": error_of(lambda: torch.full(2, 1.0)),
        "no value": error_of(lambda: torch.full((2,))),
    }


def _like(name):
    def program(torch):
        function = getattr(torch, name)
        x = torch.ones(2, 3, dtype=torch.int16)
        return {
            "ints": function(x),
            "dtype": function(x, dtype=torch.float64),
            "keyword": function(input=x, dtype=torch.float32, requires_grad=True),
            "of a leaf": function(torch.ones(2, requires_grad=True)),
            "a list": error_of(lambda: function([1, 2])),
        }

    program.__name__ = name
    return program


for _name in ("zeros_like", "ones_like"):
    case(*everywhere(_name))(_like(_name))


@case(*everywhere("arange"))
def arange(torch):
    return {
        "end": torch.arange(3),
        "start and end": torch.arange(2, 5),
        "steps": [torch.arange(0, 10, 4), torch.arange(1, 2, 0.5), torch.arange(5, 0, -2)],
        "floats": torch.arange(3.0),
        "tenths": torch.arange(0, 1, 0.1),
        "keyword": torch.arange(start=1, end=7, step=3, dtype=torch.float64),
        "options": torch.arange(2, dtype=torch.uint8, device="cpu"),
        "requires grad": torch.arange(2.0, requires_grad=True),
        "empty": torch.arange(0),
        "without end": error_of(lambda: torch.arange(0, float("inf"))),
        "step 0": error_of(lambda: torch.arange(0, 3, 0)),
        "wrong way": error_of(lambda: torch.arange(3, 0)),
        "a string": error_of(lambda: torch.arange("3")),
    }


@case(*everywhere("linspace"))
def linspace(torch):
    return {
        "thirds": torch.linspace(0, 1, 4),
        "downwards": torch.linspace(3.0, -3.0, steps=7),
        "keyword": torch.linspace(start=-1, end=1, steps=3, dtype=torch.float64, requires_grad=True),
        "one": torch.linspace(2, 5, 1),
        "none": torch.linspace(2, 5, 0),
        "ints": torch.linspace(0, 10, 5, dtype=torch.int64),
        "negative": error_of(lambda: torch.linspace(0, 1, -1)),
        "no steps": error_of(lambda: torch.linspace(0, 1)),
    }


@case(*everywhere("eye"))
def eye(torch):
    return {
        "square": torch.eye(2),
        "wide": torch.eye(2, 3),
        "keyword": torch.eye(n=2, dtype=torch.int64),
        "requires grad": torch.eye(1, requires_grad=True),
        "negative": error_of(lambda: torch.eye(-1)),
        "a float": error_of(lambda: torch.eye(2.0)),
    }


@case("from_numpy", "as_tensor", "tensor:numpy")
def numpy(torch):
    array = np.arange(4, dtype=np.float32)
    shared, also = torch.from_numpy(array), torch.as_tensor(array)
    array[0] = 9
    shared[1] = 8
    back = also.numpy()
    x = torch.ones(2)
    return {
        "shared": [shared, also, array, back],
        "dtypes": [
            torch.from_numpy(np.zeros(1, dtype=kind)) for kind in ("int64", "uint8", "bool", "float64", "float16")
        ],
        "itself": torch.as_tensor(x) is x,
        "cast": torch.as_tensor(x, dtype=torch.int64),
        "of a list": torch.as_tensor([1, 2.5]),
        "keyword": torch.as_tensor(data=[1], dtype=torch.float64, device="cpu"),
        "ints": torch.tensor([[1, 2]], dtype=torch.int16).numpy(),
        "0-d": torch.tensor(2.5).numpy(),
        "turned": torch.arange(4).reshape(2, 2).t().numpy(),
        "by force": torch.ones(1, requires_grad=True).numpy(force=True),
        "with gradient": error_of(lambda: torch.ones(1, requires_grad=True).numpy()),
        "a list": error_of(lambda: torch.from_numpy([1.0])),
        "strings": error_of(lambda: torch.from_numpy(np.array(["a"]))),
        "negative strides": error_of(lambda: torch.from_numpy(np.arange(3)[::-1])),
    }


_DTYPES = "float32 float64 float16 bfloat16 int64 int32 int16 uint8 bool float double long short".split()  # noqa: SIM905


@case(*_DTYPES)
def dtypes(torch):
    told = {}
    for name in _DTYPES:
        dtype = getattr(torch, name)
        told[name] = {
            "repr": repr(dtype),
            "kind": [dtype.is_floating_point, dtype.is_complex, dtype.itemsize],
            "values": torch.tensor([0, 1, 3]).to(dtype),
            "of floats": torch.tensor([0.1, 1.5, -2.9]).abs().to(dtype),
            "a type of dtypes": isinstance(dtype, torch.dtype),
            "sum with half": (torch.tensor([1]).to(dtype) + torch.tensor([0.5], dtype=torch.float16)).dtype,
            "sum with a number": (torch.tensor([1]).to(dtype) + 0.5).dtype,
        }
    same = [torch.float is torch.float32, torch.double is torch.float64, torch.long is torch.int64]
    return {"dtypes": told, "other names": [*same, torch.short is torch.int16]}


@case("Size", "tensor:shape", "tensor:size", "tensor:dim", "tensor:ndim", "tensor:numel", "tensor:nelement")
def sizes(torch):
    x = torch.ones(2, 3, 4)
    size = torch.Size([2, 3])
    return {
        "shape": [x.shape, x.size(), x.size(1), x.size(-1), x.size(dim=0)],
        "counts": [x.dim(), x.ndim, x.numel(), x.nelement(), size.numel(), len(x.shape)],
        "of 0-d": [torch.tensor(1.0).shape, torch.tensor(1.0).dim(), torch.tensor(1.0).numel()],
        "printed": [str(x.shape), repr(size), f"{x.shape}"],
        "a tuple": [x.shape == (2, 3, 4), isinstance(x.shape, tuple), isinstance(x.shape, torch.Size)],
        "sliced": [repr(x.shape[1:]), x.shape[0], repr(size + torch.Size([1]))],
        "unpacked": list(x.size()),
        "out of range": error_of(lambda: x.size(3)),
    }


@case("device", "tensor:device", "tensor:cpu", "tensor:to")
def devices(torch):
    device, x = torch.device("cpu"), torch.ones(2, requires_grad=True)
    y = torch.tensor([1, 2])
    moved = x.to("cpu", torch.float64)
    moved.sum().backward()
    return {
        "device": [str(device), repr(device), device.type, device.index, torch.device("cpu", 0).index],
        "equal": [
            x.device == device,
            torch.device("cuda", 1) == torch.device("cuda:1"),
            len({device, x.device}),
        ],
        "cpu is itself": x.cpu() is x,
        "to the same": [x.to(device) is x, x.to(torch.float32) is x, x.to(y.to("cpu").device, copy=True) is x],
        "to a dtype": y.to(torch.float64),
        "like another": y.to(x),
        "keyword": y.to(device="cpu", dtype=torch.int16, non_blocking=True),
        "gradient": x.grad,
        "no such device": error_of(lambda: torch.device("gpu")),
        "a wrong index": error_of(lambda: torch.device("cpu:x")),
        "to a list": error_of(lambda: x.to([1])),
    }


@case("inf", "pi")
def constants(torch):
    return {"inf": torch.inf, "pi": torch.pi, "in a tensor": torch.tensor([torch.inf, -torch.inf, torch.pi])}


@case("FloatTensor", "LongTensor", "ByteTensor", "autograd.Variable")
def old_constructors(torch):
    variable = torch.autograd.Variable(torch.ones(2), requires_grad=True)
    (variable * 3).sum().backward()
    return {
        "values": [torch.FloatTensor([1, 2]), torch.LongTensor([[3], [4]]), torch.ByteTensor([0, 255])],
        "sizes": [torch.FloatTensor(2, 3).shape, torch.LongTensor(2).shape, torch.ByteTensor(1, 1).shape],
        "of a Size": torch.FloatTensor(torch.Size([2, 2])).shape,
        "of NumPy": torch.FloatTensor(np.array([1.5, 2.5], dtype=np.float32)),
        "types": [torch.FloatTensor(1).dtype, torch.LongTensor(1).dtype, torch.ByteTensor(1).dtype],
        "isinstance": [isinstance(torch.ones(1), torch.FloatTensor), isinstance(torch.ones(1), torch.LongTensor)],
        "printed": [str(torch.LongTensor([1, 2])), str(torch.FloatTensor([1, 2]))],
        "a Variable": [variable, variable.grad, torch.autograd.Variable(torch.ones(1)).requires_grad],
        "strings": error_of(lambda: torch.FloatTensor(["a"])),
        "a Variable of a list": error_of(lambda: torch.autograd.Variable([1.0])),
    }
