"""L-BFGS: Newton's method with a curvature guessed from the last steps."""

from collections.abc import Callable
from typing import Any

from minigrad import autograd
from minigrad.backend import array_module
from minigrad.optim.line_search import Point, strong_wolfe
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import check_at_least_zero, number
from minigrad.tensor import Tensor, from_raw


class LBFGS(Optimizer):
    r"""Limited-memory BFGS: steps along -H g, with H the inverse Hessian that `history_size` pairs of changes suggest.

        s_k = change of the parameters,  y_k = change of the gradient in step k
        H = the BFGS updates by these pairs of (s y / y y) I, applied to g by two loops and never formed

    `step(closure)` makes up to `max_iter` such steps and calls the closure, which recomputes loss and gradients, up to
    `max_eval` times (default: 1.25 max_iter). The step length is lr (in the first step lr times 1 or 1 / |g|_1) or,
    with `line_search_fn="strong_wolfe"`, searched for from there. It ends when no entry of the gradient exceeds
    `tolerance_grad`, or when the loss or all parameters move by less than `tolerance_change`.

    One parameter group only: ValueError for more. A parameter without a gradient counts as one with gradient 0.

    Liu and Nocedal, "On the limited memory BFGS method for large scale optimization" (1989).
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        check_at_least_zero(options, lr="learning rate")
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, got line_search_fn={options['line_search_fn']!r}")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        super().add_param_group(param_group)

    def step(self, closure: Closure | None = None) -> Any:
        """Call the closure and move, up to `max_iter` times; returns what the first call returned."""
        if closure is None:
            raise TypeError("LBFGS.step() needs a closure that clears the gradients, computes the loss and returns it")

        def evaluate() -> Any:
            with autograd.enable_grad():
                return closure()

        group, state = self.param_groups[0], self.state[self.param_groups[0]["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = evaluate()
        loss, gradient, evals = float(number(first_loss)), self._flat_gradient(), 1
        state["func_evals"] += 1
        if _largest(gradient) <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(state, gradient, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = from_raw(gradient), loss
            state["d"], state["t"] = from_raw(direction), number(group["lr"])
            if state["n_iter"] == 1:
                state["t"] *= min(1.0, 1.0 / float(abs(gradient).sum()))
            slope = _dot(gradient, direction)
            if slope > -group["tolerance_change"]:
                break
            if group["line_search_fn"]:
                start = Point(0.0, loss, gradient, slope)
                point, spent = self._search(evaluate, start, direction, state["t"], group["max_eval"] - evals)
                state["t"], before, loss, gradient = point.step, loss, point.loss, point.gradient
                self._move(state["t"], direction)
            else:
                self._move(state["t"], direction)
                before, spent = loss, 0
                if iteration < group["max_iter"]:
                    loss, gradient, spent = float(number(evaluate())), self._flat_gradient(), 1
            evals += spent
            state["func_evals"] += spent
            if iteration == group["max_iter"] or evals >= group["max_eval"]:
                break
            if _largest(gradient) <= group["tolerance_grad"]:
                break
            moved = _largest(direction) * abs(state["t"])
            if moved <= group["tolerance_change"] or abs(loss - before) < group["tolerance_change"]:
                break
        return first_loss

    # ------------------------------------------------------------------ all parameters as one vector

    def _flat_gradient(self) -> Any:
        params = self.param_groups[0]["params"]
        parts = [(p.array * 0 if p.grad is None else p.grad.array).reshape(-1) for p in params]
        return array_module(parts[0]).concatenate(parts)

    def _move(self, step: float, direction: Any) -> None:
        start = 0
        for p in self.param_groups[0]["params"]:
            part = direction[start : start + p.array.size].reshape(p.array.shape)
            p.array[...] += (step * part).astype(p.array.dtype)
            p.bump_version()
            start += p.array.size

    def _search(
        self, evaluate: Callable[[], Any], start: Point, direction: Any, step: float, most: int
    ) -> tuple[Point, int]:
        """The line search from here; the parameters are left where they were."""
        params = self.param_groups[0]["params"]
        here = [p.array.copy() for p in params]

        def look(step: float) -> Point:
            self._move(step, direction)
            loss, gradient = float(number(evaluate())), self._flat_gradient()
            for p, values in zip(params, here, strict=True):
                p.array[...] = values
                p.bump_version()
            return Point(step, loss, gradient, _dot(gradient, direction))

        return strong_wolfe(look, step, start, _largest(direction), most)

    def _direction(self, state: dict[str, Any], gradient: Any, history_size: int) -> Any:
        """-H g, after the last step has been added to the history."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        y, s = gradient - state["prev_flat_grad"].array, state["d"].array * number(state["t"])
        curvature = _dot(y, s)
        history = (state["old_dirs"], state["old_stps"], state["ro"])
        if curvature > 1e-10:
            for past, new in zip(history, (from_raw(y), from_raw(s), 1.0 / curvature), strict=True):
                if len(past) == history_size:
                    past.pop(0)
                past.append(new)
            state["H_diag"] = curvature / _dot(y, y)
        pairs = [(y.array, s.array, number(inverse)) for y, s, inverse in zip(*history, strict=True)]
        q, weights = -gradient, []
        for y, s, inverse in reversed(pairs):
            weights.append(_dot(s, q) * inverse)
            q -= weights[-1] * y
        q *= number(state["H_diag"])
        for (y, s, inverse), weight in zip(pairs, reversed(weights), strict=True):
            q += (weight - _dot(y, q) * inverse) * s
        return q


def _dot(a: Any, b: Any) -> float:
    return float(a @ b)


def _largest(x: Any) -> float:
    return float(abs(x).max())
