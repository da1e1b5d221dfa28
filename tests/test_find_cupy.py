"""Each way in which CuPy can be missing is told apart, with the command that mends it."""

import importlib
import types

import pytest

from minigrad import backend, find_cupy


@pytest.fixture
def machine(monkeypatch):
    """A machine with those packages, where importing cupy gives (or raises) that."""

    def make(packages, cupy):
        def version(name):
            if name not in packages:
                raise find_cupy.metadata.PackageNotFoundError(name)
            return "14.2.0"

        def import_module(name):
            if isinstance(cupy, Exception):
                raise cupy
            return cupy

        monkeypatch.setattr(find_cupy, "metadata", types.SimpleNamespace(
            version=version, PackageNotFoundError=importlib.metadata.PackageNotFoundError))  # fmt: skip
        monkeypatch.setattr(find_cupy, "importlib", types.SimpleNamespace(import_module=import_module))

    return make


def cupy(available, driver=13000, runtime=13000):
    def get_driver():
        if isinstance(driver, Exception):
            raise driver
        return driver

    calls = types.SimpleNamespace(driverGetVersion=get_driver, runtimeGetVersion=lambda: runtime)
    return types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: available, runtime=calls))


@pytest.mark.parametrize(("packages", "module", "message"), [
    ([], ImportError("no cupy"), r"not installed: pip install 'minigrad\[cuda\]'.*cupy-cuda12x\[ctk\]"),
    (["cupy-cuda12x"], ImportError("libcublas.so"), r"libcublas.so.*pip install 'cupy-cuda12x\[ctk\]'"),
    (["cupy-cuda12x", "cupy-cuda13x"], cupy(True), r"two CuPy packages.*pip uninstall -y cupy-cuda12x cupy-cuda13x"),
    (["cupy-cuda13x"], cupy(False, driver=0), r"no NVIDIA GPU or driver.*nvidia-smi"),
    (["cupy-cuda13x"], cupy(False, driver=12080), r"for CUDA 13.*driver is for CUDA 12.*'cupy-cuda12x\[ctk\]'"),
    (["cupy-cuda13x"], cupy(False, driver=11040), r"driver is for CUDA 11.*update the driver"),
    (["cupy-cuda13x"], cupy(False), r"shows no GPU"),
    (["cupy-cuda13x"], cupy(False, driver=OSError("odd")), r"no NVIDIA GPU or driver.*OSError: odd"),
])  # fmt: skip
def test_each_cause_has_its_cure(machine, packages, module, message):
    machine(packages, module)
    with pytest.raises(RuntimeError, match=message):
        find_cupy.load()
    with pytest.raises(RuntimeError, match=message):
        backend.backend_for("cuda")
    assert not backend.is_cuda_available()


def test_what_works_is_given(machine):
    module = cupy(True)
    machine(["cupy-cuda13x"], module)
    assert find_cupy.load() is module
    assert find_cupy.describe() == "cupy-cuda13x 14.2.0"
    machine([], ImportError())
    assert find_cupy.describe() == "not installed (pip install 'minigrad[cuda]')"
