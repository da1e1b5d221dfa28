"""Parameter: the kind of Tensor that a Module counts among its weights; and tensors whose shape is not known yet."""

from collections.abc import Sequence
from typing import Any

from minigrad import creation, inplace
from minigrad.tensor import Size, Tensor


class Parameter(Tensor):
    """A Tensor that, assigned to an attribute of a Module, is trained, moved and saved with it.

    `Parameter(data, requires_grad=True)` is a leaf on the memory of `data`, whatever graph `data` came from. Results of
    ops on it are plain Tensors; copies and pickles of it are Parameters again. Raises TypeError for data that is no
    Tensor and RuntimeError for a dtype that can have no gradient (unless `requires_grad=False`).
    """

    __slots__ = ()

    def __init__(self, data: Any = None, requires_grad: bool = True):
        if data is None:
            super().__init__()
        elif isinstance(data, Tensor):
            self.array, self.node, self.version, self.base = data.array, None, None, None
            inplace.alias(data, self)  # writes to either are counted for both
        else:
            raise TypeError(
                f"Parameter takes a Tensor, got {type(data).__name__}: write Parameter(minigrad.tensor(...))"
            )
        if requires_grad:
            self.requires_grad_()


_memory = Tensor.__dict__["array"]  # the slot itself, which the classes below hide


class _Uninitialized:
    """A tensor that has a dtype and a device but no shape, until `materialize` gives it one.

    Lazy layers make them and materialize them at their first forward; the object stays the same, so an optimizer may
    have taken it before. Until then whatever needs its values raises ValueError, and `.shape` raises RuntimeError.
    """

    __slots__ = ()
    becomes: Any

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None):
        raise NotImplementedError

    @property
    def array(self) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized {self.becomes.__name__.lower()}. This error happens when you are "
            "using a "
            "lazy module or explicitly manipulating `nn.parameter.UninitializedParameter` objects. When using lazy "
            "modules "
            "call `forward` with a dummy batch to initialize the parameters before calling functions on them."
        )

    @array.setter
    def array(self, raw: Any) -> None:
        _memory.__set__(self, raw)

    @property
    def shape(self) -> Size:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to "
            "initialize the parameters before accessing their attributes."
        )

    @property
    def data(self) -> Tensor:
        """An empty tensor: writing to it, as initialisers do, has no effect."""
        return creation.from_raw(_memory.__get__(self))

    @data.setter
    def data(self, value: Tensor) -> None:
        Tensor.data.fset(self, value)  # type: ignore[attr-defined]

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    @property
    def device(self) -> Any:
        return self.data.device

    def is_floating_point(self) -> bool:
        return self.data.is_floating_point()

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Become a Parameter (or a Tensor) of that shape, with any values, on the device and of the dtype named or
        had.
        """
        made = creation.empty(
            tuple(shape), device=self.device if device is None else device, dtype=self.dtype if dtype is None else dtype
        )
        self.__class__ = self.becomes  # type: ignore[assignment]
        self.data = made

    def detach(self) -> Any:
        return self

    def _as(self, data: Tensor) -> Any:
        return type(self)(device=data.device, dtype=data.dtype)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        return self._as(self.data.to(*args, **kwargs))

    def type(self, *args: Any) -> Any:
        return self._as(self.data.type(*args)) if args else self.data.type()

    def cuda(self, *args: Any, **kwargs: Any) -> Any:
        return self._as(self.data.cuda(*args, **kwargs))

    def __deepcopy__(self, memo: dict) -> Any:
        twin = memo[id(self)] = self._as(self.data)
        return twin

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), str(self.device), str(self.dtype).rpartition(".")[2])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _rebuild(kind: Any, device: str, dtype: str) -> Any:
    from minigrad import dtype as dtypes

    return kind(device=device, dtype=getattr(dtypes, dtype))


class UninitializedParameter(_Uninitialized, Parameter):
    """A Parameter whose shape the first input of its layer will tell. `UninitializedParameter(device=, dtype=)`."""

    __slots__ = ()
    becomes = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None):
        self.__class__ = Parameter  # type: ignore[assignment]
        Parameter.__init__(self, creation.empty(0, device=device, dtype=dtype), requires_grad)
        self.__class__ = UninitializedParameter


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer whose shape the first input of its layer will tell. `UninitializedBuffer(device=, dtype=)`."""

    __slots__ = ()
    becomes = Tensor

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None):
        _memory.__set__(self, creation.empty(0, device=device, dtype=dtype).array)
        self.node = None


def is_lazy(tensor: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(tensor, _Uninitialized)


def shared_parameters(module: Any) -> set[int]:
    """The ids of parameters that more than one module at or below `module` holds, such as a tied embedding."""
    once: set[int] = set()
    more: set[int] = set()
    for owner in module.modules():
        for parameter in owner._parameters.values():
            (more if id(parameter) in once else once).add(id(parameter))
    return more - {id(None)}
