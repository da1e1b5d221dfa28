"""Kernels that can be shared out to threads are tested in both forms, on arrays that would be too small for it."""

import pytest

from minigrad.kernels import cpu


@pytest.fixture(scope="module", params=[1, 3], ids=["serial", "threaded"])
def both_forms(request):
    """One part, then three: the threads of the team, one thread twice where there are only two."""
    threads = cpu.compiled().threads
    original, threads.parts = threads.parts, lambda work, smallest: request.param
    yield
    threads.parts = original
