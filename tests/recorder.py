"""A stand-in for CUDA graphs on the CPU: records the operations of a function, undoes them, and runs them again.

As a graph does, it repeats the same operations on the same tensors with the numbers of then, whatever Python would do
now; so what is frozen by mistake shows. As CUDA does, it refuses to read a value while it records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS = ("_local_scalar_dense", "nonzero", "equal")  # they wait for the device
UNSAID = ("running_mean", "running_var")  # of batch normalisation, which changes them and does not declare it


def _is_changed(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


class Recorder(TorchDispatchMode):
    """Records operations with their arguments and results, and the values of what they change."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, dict[str, Any], Any]] = []
        self.before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if operation.__name__.partition(".")[0] in READS:
            raise RuntimeError("operation not permitted when stream is capturing")
        schema = {argument.name: argument for argument in operation._schema.arguments}
        values = {**dict(zip(schema, args, strict=False)), **kwargs}
        changed = [value for name, value in values.items() if name in UNSAID or _is_changed(schema[name])]
        self.before += [(value, value.clone()) for value in tree_leaves(changed) if isinstance(value, Tensor)]
        result = operation(*args, **kwargs)
        self.operations.append((operation, args, kwargs, result))
        return result

    @torch.no_grad()
    def undo(self) -> None:
        """Put the values back that were changed."""
        for tensor, values in reversed(self.before):
            tensor.copy_(values)

    @torch.no_grad()
    def replay(self) -> None:
        """Run the operations again; their results take the places of the first ones."""
        for operation, args, kwargs, result in self.operations:
            again = operation(*args, **kwargs)
            for place, value in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(place, Tensor) and place.data_ptr() != value.data_ptr():
                    place.copy_(value)


def record(work: Callable[[], None]) -> Callable[[], None]:
    """Record `work` and leave no trace; the result runs it again. In place of capture_on_cuda."""
    state, recorder = torch.get_rng_state(), Recorder()
    try:
        with recorder:
            work()
    finally:
        recorder.undo()
        torch.set_rng_state(state)
    return recorder.replay
