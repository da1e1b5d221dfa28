"""The many names that few programs use, as PyTorch has them; and that every function of the surface is there."""

import pytest
from programs.common import check, recorded

import minigrad as mg
from minigrad.alias import alias
from minigrad.conformance.surface import SURFACE

PROGRAMS = recorded("names")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


@pytest.mark.parametrize("section", [s for s in SURFACE if s != "methods"])
def test_every_name_of_the_surface_resolves(section):
    import importlib

    missing = []
    with alias():
        for name in SURFACE[section].names:
            found = False
            for path in SURFACE[section].paths(name):
                first, *rest = path.split(".")
                owner = importlib.import_module(first)
                for part in rest:
                    owner = getattr(owner, part, missing)
                found |= owner is not missing
            if not found:
                missing.append(name)
    assert not missing


def test_masked_scatter_and_put_say_what_does_not_fit():
    for call, message in (
        (lambda: mg.zeros(3).masked_scatter(mg.tensor([1, 0, 1]), mg.ones(2)), "only supports boolean masks"),
        (
            lambda: mg.zeros(3).masked_scatter(mg.tensor([True]), mg.ones(2).double()),
            "same dtypes but got torch.float32",
        ),
        (lambda: mg.zeros(3).put(mg.tensor([0]), mg.ones(2)), "same number of elements, but got 2 and 1"),
        (lambda: mg.select_scatter(mg.zeros(2, 3), mg.ones(2), 0, 1), "src size = .2., slice size = .3."),
        (lambda: mg.zeros(2, 3).sum_to_size(4), "size .4. is not expandable to size .2, 3."),
        (lambda: mg.hann_window(3, dtype=mg.int64), "expects floating point dtypes"),
    ):
        with pytest.raises((RuntimeError, IndexError), match=message):
            call()
