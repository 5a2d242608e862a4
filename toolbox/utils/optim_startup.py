"""torch's optimizers without the import of its compiler.

torch wraps methods of its optimizers in hooks for torch.compile. A hook imports the compiler (torch._dynamo) when it is
first called, which takes 2 to 5 s on two cores, as long as importing torch itself. No optimizer is compiled here.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

HOOKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")  # methods that torch wraps


def without_compiler(kind: type[Any]) -> type[Any]:
    """The optimizer class `kind` with the same arithmetic and state, but with its methods unwrapped.

    Where a release of torch has no hooks, nothing changes.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in HOOKED}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(inspect.unwrap(kind.step))})
