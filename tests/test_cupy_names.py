"""The stand-in for CuPy offers nothing that CuPy lacks, by the names recorded from CuPy."""

import cupy_names as names
import numpy as np
import pytest
from strict_cupy import StrictArray, strict, to_device


def test_every_name_is_one_of_cupys():
    recorded = names.CUPY
    assert set(names.FUNCTIONS) <= recorded["functions"].keys()
    assert set(names.LINALG) <= recorded["linalg"].keys()
    assert set(names.METHODS) <= recorded["ndarray"].keys()
    assert len(names.FUNCTIONS) == len(set(names.FUNCTIONS)) and not set(names.FUNCTIONS) & set(names.UFUNCS)
    public = {name for name in dir(StrictArray) if not name.startswith("_")}
    assert public <= recorded["ndarray"].keys()
    special = {name for name, member in vars(StrictArray).items() if name.startswith("__") and callable(member)}
    refusing = {"__contains__", "__imatmul__"}
    of_every_class = set(dir(object)) | {"__getattr__", "__weakref__"}
    assert special - refusing - of_every_class <= set(recorded["special methods of ndarray"])


@pytest.mark.parametrize(
    "name", ["vecdot", "matvec", "vecmat", "unstack", "block", "insert", "geomspace", "nditer", "errstate", "random"]
)
def test_names_that_cupy_lacks_are_absent(name):
    with pytest.raises(AttributeError):
        getattr(strict, name)


@pytest.mark.parametrize(
    "name", ["vector_norm", "matrix_norm", "multi_dot", "svdvals", "trace", "diagonal", "outer", "tensordot", "vecdot"]
)
def test_linalg_names_that_cupy_lacks_are_absent(name):
    assert not hasattr(strict.linalg, name)


@pytest.mark.parametrize(
    "name",
    [
        "__index__",
        "__array_namespace__",
        "__array_interface__",
        "to_device",
        "resize",
        "setflags",
        "ctypes",
        "tostring",
    ],
)
def test_array_members_that_cupy_lacks_are_absent(name):
    with pytest.raises(AttributeError, match=r"'cupy\.ndarray' object has no attribute"):
        getattr(to_device(np.zeros(2)), name)
