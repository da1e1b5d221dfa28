"""What show_config() says of the GPU's libraries, and that the fake of cuBLASLt refuses what cuBLASLt refuses."""

import ctypes
import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import fake_cublaslt
import numpy as np
import pytest
from test_cublaslt import library as library, numbers, upload

from minigrad import find_cupy, runtime
from minigrad.kernels.cuda import cublaslt

# ---------------------------------------------------------------- what there is on this machine


def test_without_nvmath(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "nvmath", None)
    cublaslt._found.cache_clear()
    try:
        assert cublaslt._found()[0] is None and "nvmath" in cublaslt.why_not()
    finally:
        cublaslt._found.cache_clear()


def test_a_broken_nvmath(monkeypatch) -> None:
    def broken() -> int:
        raise RuntimeError("libcublasLt.so.13 is nowhere\nmore lines")

    for name in ("cublasLt", "cublas"):
        monkeypatch.setitem(sys.modules, f"nvmath.bindings.{name}", SimpleNamespace(get_version=broken))
    cublaslt._found.cache_clear()
    try:
        assert cublaslt._found() == (None, "RuntimeError: libcublasLt.so.13 is nowhere")
    finally:
        cublaslt._found.cache_clear()


def test_cublaslt_uses_names_that_nvmath_has() -> None:
    """The record against the package itself, where that is installed."""
    if importlib.util.find_spec("nvmath") is None:
        pytest.skip("no nvmath-python to compare the record with: pip install nvmath-python")
    path = Path(__file__).parents[2] / "scripts" / "record_nvmath_names.py"
    spec = importlib.util.spec_from_file_location("record_nvmath_names", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.names()
    assert found == {title: fake_cublaslt.RECORDED[title] for title in found}


@pytest.mark.parametrize("extra", ["cuda-fast", "cudnn", "nccl"])
def test_the_configuration_names_each_extra(extra, monkeypatch) -> None:
    versions = {"nvmath-python": "1.0.0", "nvidia-cudnn-frontend": "1.32.0", "nvidia-nccl-cu13": "2.32.3"}

    def version(name: str) -> str:
        if name in uninstalled and name not in versions:
            raise find_cupy.metadata.PackageNotFoundError(name)
        return versions.get(name, "0")

    uninstalled = {name for packages, _ in find_cupy.EXTRAS.values() for name in packages}
    monkeypatch.setattr(find_cupy.metadata, "version", version)
    monkeypatch.setattr(runtime, "_unusable", str)
    assert runtime.config()[extra] == find_cupy.EXTRAS[extra][0][0] + " " + versions[find_cupy.EXTRAS[extra][0][0]]
    versions.clear()
    assert re.search(rf"^not installed: .* \(pip install 'minigrad\[{extra}\]'\)$", runtime.config()[extra])


def test_an_extra_that_is_installed_and_does_not_work_is_told(on_card, monkeypatch) -> None:
    if on_card:
        pytest.skip("plays a broken installation: run without --device")
    monkeypatch.setattr(find_cupy, "describe_extra", lambda extra: f"{extra} 1.0.0")
    assert runtime.config()["cuda-fast"] == "cuda-fast 1.0.0"
    monkeypatch.setattr(cublaslt, "bindings", lambda: None)
    monkeypatch.setattr(cublaslt, "why_not", lambda: "RuntimeError: no library")
    assert "does not work (RuntimeError: no library): CuPy's products" in runtime.config()["cuda-fast"]


# ---------------------------------------------------------------- the fake refuses


def test_the_fake_refuses_what_cublaslt_refuses(library) -> None:
    if library is None:
        pytest.skip("about the fake: run without --device")
    refused = fake_cublaslt.cuBLASLtError
    with pytest.raises(refused, match="leading dimension 3 below 4 rows"):
        library.matrix_layout_create(0, 4, 2, 3)
    with pytest.raises(TypeError, match="got float"):
        library.matrix_layout_create(0, 4, 2, 4.0)
    with pytest.raises(AttributeError):
        library.MatmulDescAttribute.TRANSD  # noqa: B018
    operation, value = library.matmul_desc_create(68, 0), (ctypes.c_int64 * 1)(1)
    address = ctypes.addressof(value)
    with pytest.raises(refused, match="TRANSA takes int32, got 8 bytes"):
        library.matmul_desc_set_attribute(operation, 3, address, 8)
    with pytest.raises(refused, match="unknown attribute 99"):
        library.matmul_desc_set_attribute(operation, 99, address, 4)
    library.matmul_desc_destroy(operation)
    with pytest.raises(refused, match="no living Operation"):
        library.matmul_desc_set_attribute(operation, 3, address, 4)
    x = upload(np.zeros((4, 4), np.float32))
    assert len(fake_cublaslt.owners_of((x.data.ptr, 64), (x.data.ptr + 60, 4))) == 2
    with pytest.raises(refused, match="ILLEGAL_ADDRESS"):
        fake_cublaslt.owners_of((x.data.ptr, 64 + (1 << 32)))


@pytest.mark.parametrize("field, value, message", [
    ("aligned", (256, 256, 256), "not aligned"), ("n", 7, "ILLEGAL_ADDRESS|->"), ("dtype", "float16", "read as"),
])  # fmt: skip
def test_a_wrong_plan_is_noticed(library, field, value, message) -> None:
    if library is None:
        pytest.skip("about the fake: run without --device")
    whole = upload(numbers("float32", 5, 8))
    a, b, bias, y = whole[:4, 1:5], whole[:4, :4], upload(numbers("float32", 4)), upload(np.zeros((4, 4), np.float32))
    lies = cublaslt.Lying(False, 8, 0)
    right = cublaslt.Problem("float32", False, 1, 4, 4, 4, lies, lies, "BIAS", (4, 4, 4))
    device = cublaslt._device(cublaslt.bindings(), 0)
    assert device.compute(right, a, b, bias, y)
    with pytest.raises(fake_cublaslt.cuBLASLtError, match=message):
        device.compute(right._replace(**{field: value}), a, b, bias, y)
