"""Batches on the GPU one step ahead: while a step runs there, the batch of the next one is copied."""

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from minigrad import backend, pytree
from minigrad.kernels.cuda import pinned
from minigrad.tensor import Tensor, from_raw

BatchT = TypeVar("BatchT", covariant=True)


class Prefetcher(Generic[BatchT]):
    """The batches of a loader, on a device: `for x, y in Prefetcher(loader, "cuda")`; as often as the loader allows.

    loader      any iterable of batches: tensors, alone or in tuples, lists and dicts; all else is handed through
    device      where to; None for the default device

    On a GPU each batch is put into pinned memory, unless `DataLoader(pin_memory=True)` has done so, and copied on a
    stream of its own, which runs beside the one that computes. The copy of batch i + 1 is asked for when batch i is
    handed out. On the CPU the batches come as they are.

    Nothing runs besides the calling thread, so a pass may be left at any time. The loader is one batch ahead: an error
    in it is raised when that batch's turn has come.
    """

    def __init__(self, loader: Iterable[BatchT], device: "str | backend.device | None" = None):
        self.loader = loader
        self.device = backend.get_default_device() if device is None else backend.device(device)
        backend.backend_for(self.device)  # raises where there is none

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[BatchT]:
        if self.device.type == "cpu":
            return (_moved(batch, lambda x: x.to("cpu")) for batch in self.loader)
        return self._ahead()

    def _ahead(self) -> Iterator[BatchT]:
        xp = backend.backend_for("cuda").module
        stream = xp.cuda.Stream(non_blocking=True)
        batches = iter(self.loader)
        waiting: list[tuple[Any, Any, Any]] = []  # (event of a copy, the array, the stream whose memory that is)

        def ask() -> tuple[Any, Exception | None]:
            """The next batch, on its way; or the reason why there is none."""

            def copied(x: Tensor) -> Tensor:
                if x.is_cuda or not x.array.size:
                    return x.to(self.device)
                array, event = pinned.copies.upload(pinned.pinned_copy(x.detach().array), stream)
                waiting.append((event, array, xp.cuda.get_current_stream()))
                return from_raw(array)

            try:
                return _moved(next(batches), copied), None
            except Exception as error:  # StopIteration, too
                return None, error

        def wait() -> None:
            here = xp.cuda.get_current_stream()
            while waiting:
                event, array, home = waiting[-1]
                home.wait_event(event)  # which hands the memory on when nobody holds the array
                here.wait_event(event)  # which is about to use it
                del array
                waiting.pop()

        try:
            batch, error = ask()
            while error is None:
                wait()
                ready = batch
                batch, error = ask()
                yield ready
                del ready  # or two batches would be held while a third is copied
            if not isinstance(error, StopIteration):
                raise error
        finally:
            wait()  # before the memory of a batch that nobody took is given back
            batch = None


def _moved(batch: Any, move: Any) -> Any:
    return pytree.map_leaves(lambda x: move(x) if isinstance(x, Tensor) else x, batch)
