"""In-place writes: PyTorch's recorded behaviour, what minigrad computes where PyTorch refuses, and what raises."""

import gc
import weakref

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("inplace")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


# ---------------------------------------------------------------- a recorded write never spoils what the graph keeps


def by_itself(x):
    y = x * 1
    y *= y
    return y


def entry_by_entry(x):
    out = mg.zeros(3)
    out[0] = x[0]
    out[1] = out[0] * x[0]
    return out


def exp_then_written(x):
    y = x.exp()
    y += 1
    return y


@pytest.mark.parametrize("program", [by_itself, entry_by_entry, exp_then_written])
def test_what_a_recorded_write_took_from_backward(program):
    message = (
        r"modified by an inplace operation: '.' of '\w+' was at version \d when it was kept and is at version \d now"
    )
    with pytest.raises(RuntimeError, match=message):
        program(mg.tensor([1.0, 2.0], requires_grad=True)).sum().backward()


def test_pieces_of_a_split_written_in_place():
    x = mg.ones(4, requires_grad=True)
    y = x * 2
    left, right = y.split(2)
    left.mul_(3)  # PyTorch raises: these views come several at once
    right += left
    y.sum().backward()
    assert y.tolist() == [6, 6, 8, 8]
    assert x.grad.tolist() == [12, 12, 2, 2]


def test_a_random_program_of_views_and_writes_agrees_with_plain_memory():
    """Views of views, written at random: under grad the values are those of the same writes to real memory."""
    rng = np.random.default_rng(0)
    moves = [
        lambda t: t[1:],
        lambda t: t[:, ::2],
        lambda t: t.t(),
        lambda t: t[0],
        lambda t: t.unsqueeze(1),
        lambda t: t.reshape(-1),
        lambda t: t[..., -1],
        lambda t: t.diagonal(),
        lambda t: t.expand(2, *t.shape)[1],
    ]
    for trial in range(60):
        base = mg.arange(12.0).reshape(3, 4).contiguous()
        plain, leaf = base.clone(), base.clone().requires_grad_()
        pair = (plain, leaf * 1)
        views = [pair]
        for _ in range(12):
            source = views[rng.integers(len(views))]
            move = moves[rng.integers(len(moves))]
            try:
                made = (move(source[0]), move(source[1]))
            except (RuntimeError, IndexError):
                continue  # that shape does not take that move
            views.append(made)
            target = views[rng.integers(len(views))]
            scale = float(rng.integers(1, 4))
            try:
                target[0].mul_(scale)
            except RuntimeError:  # several entries in one place
                with pytest.raises(RuntimeError, match=r"clone\(\)"):
                    target[1].mul_(scale)
                continue
            target[1].mul_(scale)
            for expected, got in views:
                assert got.tolist() == expected.tolist(), trial
        pair[1].sum().backward()
        np.testing.assert_allclose(leaf.grad.numpy() * base.numpy(), plain.numpy())


# ---------------------------------------------------------------- what would be lost raises


def lost():
    return pytest.raises(
        RuntimeError, match=r"would silently keep the old values.*Use the out-of-place form.*clone\(\)"
    )


def test_a_recorded_write_to_a_detached_twin():
    x = mg.ones(2, requires_grad=True)
    y = x * 2
    twin = y.detach()
    with lost():
        twin.add_(x)
    assert y.tolist() == [2, 2]


def test_a_recorded_write_to_a_view_whose_base_is_gone_while_another_lives():
    x = mg.ones(4, requires_grad=True)
    y = x * 2
    left, right = y[:3], y[1:]
    del y
    with lost():
        left.mul_(2)
    assert left.tolist() == right.tolist() == [2, 2, 2]


def test_a_recorded_write_to_the_only_view_left():
    x = mg.ones(4, requires_grad=True)
    part = (x * 2)[:3]
    part.mul_(5)
    part.sum().backward()
    assert part.tolist() == [10, 10, 10]
    assert x.grad.tolist() == [10, 10, 10, 0]


def test_a_recorded_write_to_an_expanded_view():
    x = mg.ones(1, 3, requires_grad=True)
    y = x * 2
    wide = y.expand(2, 3)
    with pytest.raises(RuntimeError, match=r"more than one element.*clone\(\)"):
        wide.mul_(2)
    assert y.tolist() == [[2, 2, 2]]


def test_a_view_of_a_tensor_reshaped_in_place():
    x = mg.ones(4, requires_grad=True)
    y = x * 2
    part = y[:2]
    y.unsqueeze_(0)
    with lost():
        y.mul_(2)
    assert part.tolist() == [2, 2]


def test_arithmetic_on_an_expanded_tensor():
    with pytest.raises(RuntimeError, match=r"it was expanded.*clone\(\)"):
        mg.ones(1).expand(3).add_(2)
    with pytest.raises(RuntimeError, match=r"it was expanded.*clone\(\)"):
        (mg.ones(1, requires_grad=True) * 1).expand(3).add_(2)


def test_read_only_memory():
    array = np.ones(2)
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match=r"memory is read-only.*clone\(\)"):
        mg.from_numpy(array).add_(1)


# ---------------------------------------------------------------- messages


def test_a_leaf_says_how_to_write_it():
    x = mg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"(?s)a leaf Variable that requires grad.*no_grad\(\), or into a clone\(\)"):
        x += 1
    with pytest.raises(RuntimeError, match=r"a view of a leaf Variable that requires grad"):
        x[0] += 1
    assert x.tolist() == [1, 1]


def test_a_value_written_over_is_named_with_its_op_and_versions():
    x = mg.zeros(2, requires_grad=True)
    y = x.exp()
    with mg.no_grad():
        y.add_(1)
    with pytest.raises(
        RuntimeError, match=r"'y' of 'exp' was at version 0 when it was kept and is at version 1 now.*clone\(\)"
    ):
        y.sum().backward()


def test_a_result_rebound_in_place_is_still_watched():
    x = mg.zeros(2, requires_grad=True)
    y = x * 1
    y.exp_()
    with mg.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match=r"'y' of 'exp'"):
        y.sum().backward()


def test_dtypes_that_do_not_fit_are_both_named():
    with pytest.raises(RuntimeError, match=r"add_: result type torch.float32 can't be cast.*torch.int64"):
        mg.tensor([1, 2]).add_(1.5)


def test_shapes_that_do_not_fit_are_both_named():
    with pytest.raises(RuntimeError, match=r"add_: output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"):
        mg.ones(3).add_(mg.ones(2, 3))
    with pytest.raises(
        RuntimeError, match=r"value tensor of shape \[2\] cannot be broadcast to indexing result of shape \[3\]"
    ):
        mg.ones(4)[1:] = mg.ones(2)


# ---------------------------------------------------------------- memory


def test_views_and_their_base_are_freed():
    x = mg.ones(2, requires_grad=True)
    y = x * 2
    rows = [y.unsqueeze(0)[0] for _ in range(50)]
    rows[0].mul_(2)
    watched = [weakref.ref(y), weakref.ref(y.array), weakref.ref(rows[3])]
    gc.disable()
    try:
        del y, rows
        assert [ref() for ref in watched] == [None, None, None]
    finally:
        gc.enable()


def test_adding_to_a_part_is_one_write_in_the_graph():
    x = mg.ones(3, requires_grad=True)
    y = x * 2
    y[0] += 1  # Python reads the part, adds, and writes it back: the write has happened by then
    assert y.node.op.name == "index_write"
    assert y.node.parents[0].op.name == "mul"


def test_a_thousand_dead_views_leave_no_list_of_them():
    x = mg.zeros(10)
    for i in range(1000):
        x[i % 10].add_(1)
    assert x.tolist() == [100.0] * 10
    assert len(x.version.tensors) < 20


@pytest.mark.parametrize("value", [[1, 2], np.array([3.0, 4.0]), None])
def test_tensors_and_numbers_alone_are_written(value):
    with pytest.raises(TypeError, match=f"can't assign a {type(value).__name__} to a tensor of torch.float32: write"):
        mg.zeros(2, 2)[0] = value
