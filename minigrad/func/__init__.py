"""Functional transforms, which take a function and give another: `grad` and its kin differentiate, `vmap` batches.

They nest in any order: `vmap(grad(f))` is each example's own gradient, `grad(lambda w: vmap(f)(w, xs).sum())` that of
a batch, `jacfwd(jacrev(f))` the Hessian.
"""

from minigrad.func.derivatives import (
    grad as grad,
    grad_and_value as grad_and_value,
    hvp as hvp,
    jvp as jvp,
    linearize as linearize,
    value_and_grad as value_and_grad,
    vjp as vjp,
)
from minigrad.func.jacobians import hessian as hessian, jacfwd as jacfwd, jacrev as jacrev
from minigrad.func.stateless import (
    functional_call as functional_call,
    replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_,
    stack_module_state as stack_module_state,
)
from minigrad.func.vmap import vmap as vmap
