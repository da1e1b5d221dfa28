"""What the registry of ops promises: cases for all, a reference for every fused one, rules of ordinary ops only."""

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from op_cases import BY_ID, CASES
from op_harness import call, drawn, tensors

import minigrad as mg
from minigrad import autograd
from minigrad.conformance import SURFACE
from minigrad.kernels import common, cpu
from minigrad.op import REGISTRY, FusedOp, Op, fused, op
from minigrad.tensor import Tensor

OPS = Path(mg.ops.__file__).parent
NAMES = SURFACE["ops"].names


# ---------------------------------------------------------------- the names


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_public_and_has_cases(name: str) -> None:
    *modules, function = name.split(".")
    owner = functools.reduce(getattr, modules, mg)
    assert hasattr(owner, function) or (owner is mg and hasattr(Tensor, function))
    assert any(case.name == name for case in CASES), f"no case in op_cases.py is named {name}"


# ---------------------------------------------------------------- the ops


@pytest.fixture(scope="module")
def ran() -> set[str]:
    """The names of all ops that run when the table does: forward, backward, and backward with a graph."""
    names: set[str] = set()

    def recording(plain):
        def recorded(self, *inputs, **params):
            names.add(self.name)
            return plain(self, *inputs, **params)

        return recorded

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Op, FusedOp):
            patch.setattr(kind, "__call__", recording(kind.__call__))
        for case in BY_ID.values():
            inputs = tensors(case, drawn(case))
            outputs = [y.sum() for y in call(case, inputs) if y.requires_grad]
            wanted = [x for x in inputs if x.requires_grad]
            if outputs and wanted:
                autograd.grad(outputs, wanted, retain_graph=True, allow_unused=True)
                autograd.grad(outputs, wanted, create_graph=case.second, allow_unused=True)
    return names


def test_every_op_is_run_by_the_table(ran: set[str]) -> None:
    left_out = set(REGISTRY) - ran - {"move_to"}  # test_strict_backend.py moves between devices
    assert not left_out, f"no case of op_cases.py runs {sorted(left_out)}"


FUSED = {name: which for name, which in REGISTRY.items() if isinstance(which, FusedOp)}


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_op_has_a_reference_of_its_own_signature_and_a_rule(name: str) -> None:
    which = FUSED[name]
    theirs = inspect.signature(which.reference).parameters.values()
    ours = which.signature.parameters.values()
    assert [(p.name, p.kind, p.default) for p in theirs] == [(p.name, p.kind, p.default) for p in ours]
    assert which.rule is not None


@pytest.mark.parametrize("name", REGISTRY)
def test_an_op_can_be_read_up(name: str) -> None:
    which = REGISTRY[name]
    assert which.__doc__ and which.__doc__.strip()
    assert inspect.signature(which) == which.signature
    if which.rule is not None:
        assert which.rule.__name__ == f"{name}_vjp"


# ---------------------------------------------------------------- the kernels


def functions(module) -> dict[str, inspect.Signature]:
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    found = {name: f for name, f in found.items() if inspect.isfunction(f) and "kernels" in f.__module__}
    return {name: inspect.signature(f) for name, f in found.items()}


def test_the_kernels_of_the_cpu_have_the_signatures_of_the_common_ones() -> None:
    shared = functions(common)
    for name, signature in functions(cpu).items():
        if name in shared:
            ours, theirs = list(signature.parameters), list(shared[name].parameters)
            assert ours == theirs, f"kernels/cpu: {name}{ours}; kernels/common: {name}{theirs}"
    assert len(shared) > 50


# ---------------------------------------------------------------- the rules, read


def sources() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function at the top of a file of ops/."""
    for path in sorted(OPS.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield path.name, node


FUNCTIONS = {node.name: node for _, node in sources()}
ON_ARRAYS = {"shape", "ndim", "reshape", "swapaxes", "sum", "mean"}
MODULES = {"math", *(path.stem for path in OPS.glob("*.py"))}
ON_HOST = {"append", "index", "__getitem__"}  # of the lists and tuples in which shapes and axes are worked out
RULES = [name for name in FUNCTIONS if name.endswith("_vjp")]


def helpers(rule: ast.FunctionDef) -> Iterator[ast.FunctionDef]:
    """The rule and the plain functions of ops/ that it calls; what is an op may do more."""
    seen, waiting = {rule.name}, [rule]
    while waiting:
        function = waiting.pop()
        yield function
        called = {n.func.id for n in ast.walk(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        for name in called - seen:
            seen.add(name)
            if name in FUNCTIONS and name not in REGISTRY and not name.endswith("_into"):
                waiting.append(FUNCTIONS[name])


def attributes(function: ast.FunctionDef) -> Iterator[ast.Attribute]:
    """What the body asks of arrays: attributes, but for those of modules."""
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) not in MODULES:
                yield node


@pytest.mark.parametrize("name", RULES)
def test_a_rule_asks_of_arrays_only_what_arrays_and_tensors_share(name: str) -> None:
    which = REGISTRY.get(name.removesuffix("_vjp"))
    assert which is not None, f"{name} is the rule of no op: is its file imported by ops/__init__.py?"
    if isinstance(which, FusedOp):
        return  # raw arrays only: the reference is differentiated in its place
    for function in helpers(FUNCTIONS[name]):
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        assert "kernels_of" not in names, f"{function.name} calls a kernel: a rule calls ops, which run on tensors too"
        for node in attributes(function):
            assert node.attr in ON_ARRAYS | ON_HOST, f"{function.name}: .{node.attr} differs between arrays and tensors"
        for node in ast.walk(function):
            method = node.func if isinstance(node, ast.Call) else None
            if method in list(attributes(function)) and method.attr in ("sum", "mean"):
                spelt = {k.arg for k in node.keywords}
                assert not node.args and spelt == {"axis", "keepdims"}, f"{function.name}: spell axis= and keepdims="


def test_rules_are_named_after_their_ops() -> None:
    assert len(RULES) > 60
    for name in RULES:
        assert name.removesuffix("_vjp") in REGISTRY
    for path in sorted(OPS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = node.func.attr in ("vjp", "vjp_into") and node.args
                assert not called, f"{path.name}: decorate a named function"


@pytest.mark.parametrize("path", sorted(OPS.glob("*.py")), ids=lambda path: path.name)
def test_no_file_of_ops_names_an_array_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    assert not {name for name in imported if name.split(".")[0] in ("numpy", "cupy", "numba")}


# ---------------------------------------------------------------- what the constructors refuse


def test_a_rule_that_asks_for_an_unknown_name_fails_where_it_is_written() -> None:
    @op
    def halved(x, *, times=1):
        return x / 2**times

    with pytest.raises(TypeError, match=r"halved_vjp asks for 'weight', which is no input \(x\).*parameter \(times\)"):

        @halved.vjp
        def halved_vjp(dy, weight):
            return dy

    with pytest.raises(TypeError, match="asks for 'residuals'"):

        @halved.vjp
        def halved_vjp(dy, residuals):
            return dy

    with pytest.raises(TypeError, match="must be named halved_vjp"):

        @halved.vjp
        def gradient(dy):
            return dy

    with pytest.raises(TypeError, match="take dy first"):

        @halved.vjp
        def halved_vjp(x, dy):
            return dy

    assert halved.rule is None


def test_needs_comes_last():
    @op
    def halved(x):
        return x / 2

    with pytest.raises(TypeError, match="needs must be the last argument, got dy, needs, x"):

        @halved.vjp
        def halved_vjp(dy, needs, x):
            return dy / 2


@pytest.mark.parametrize("name", ["dy", "y", "needs", "residuals"])
def test_reserved_names_are_refused(name: str) -> None:
    scope: dict = {"op": op}
    with pytest.raises(TypeError, match=rf"the names \['{name}'\] are reserved"):
        exec(f"@op\ndef taken({name}):\n    return {name}", scope)
    with pytest.raises(TypeError, match="reserved"):
        exec(f"@op\ndef taken(x, *, {name}=1):\n    return x", scope)


def test_a_scattering_rule_asks_only_for_what_is_kept() -> None:
    @op
    def first_row(x, *, row=0):
        return x[row]

    @first_row.vjp
    def first_row_vjp(dy, x_shape):
        return dy

    with pytest.raises(TypeError, match=r"asks for \['row'\], which first_row's vjp does not keep"):

        @first_row.vjp_into
        def first_row_vjp_into(buffer, dy, row):
            buffer[row] += dy


def test_a_fused_op_without_a_fitting_reference_is_refused() -> None:
    with pytest.raises(TypeError, match="reference"):

        @fused()
        def alone(x):
            return x, ()

    with pytest.raises(TypeError):

        @fused
        def alone_too(x):
            return x, ()

    def other_reference(x, *, scale):
        return x * scale

    with pytest.raises(TypeError, match="must take the same arguments"):

        @fused(reference=other_reference)
        def scaled(x, *, factor):
            return x * factor, ()
