"""How much GPU memory is in use, and the most that ever was: CuPy's pool knows the first and forgets the second."""

from typing import Any


def watch(cupy: Any) -> Any:
    """Count what this thread takes from the pool and gives back, from now on; the counter.

    A `MemoryHook` of CuPy is called at each malloc and free with `mem_size`, the bytes of the block (rounded up by the
    pool). It is the calling thread's, and blocks taken before it are not counted.
    """

    class Counter(cupy.cuda.MemoryHook):
        name = "minigrad"

        def __init__(self) -> None:
            self.in_use = self.peak = 0

        def malloc_postprocess(self, **block: Any) -> None:
            self.in_use += block["mem_size"]
            self.peak = max(self.peak, self.in_use)

        def free_postprocess(self, **block: Any) -> None:
            self.in_use -= block["mem_size"]

        def reset(self) -> None:
            """The peak starts anew from what is in use."""
            self.peak = self.in_use

    counter = Counter()
    counter.__enter__()  # a hook is switched on by entering it, and this one stays
    return counter
