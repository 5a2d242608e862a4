"""A device called "second" on a machine without a GPU: it refuses to mix its tensors with the CPU's, as CUDA does.

    with second_device() as device:
        model.to(device)(rows.to(device))

A tensor of the device is a wrapper that reports device "second:0" and computes with a tensor on the CPU. An operation
that meets both kinds raises, so code that forgets to move a tensor fails here as it would on a GPU, but for tensors
without dimensions, which CUDA takes from the CPU, too.

Not proved by it: the speed, memory and rounding of a GPU, its random generators, mixed precision (autocast knows no
operations of the device), transfers that overlap with work (they are immediate here), --compile, and several devices.
Recurrent cells that torch fuses on every device but the CPU are computed by their equations. CUDA lets an index of a
tensor on the GPU lie on the CPU; here that raises, because it makes the GPU wait.

It registers a backend with torch's private helpers for tests (torch.utils.backend_registration), those of torch 2.13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "second"
PACKED = (torch.ops.aten.gru.data, torch.ops.aten.lstm.data)  # the sizes of their steps' batches stay on the CPU
CROSSING = ("_to_copy", "copy_", "_pack_padded_sequence")  # operations between devices; lengths stay on the CPU


class SecondTensor(Tensor):
    """A tensor on the second device; `values` holds its numbers on the CPU."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> SecondTensor:
        tensor = Tensor._make_wrapper_subclass(
            cls, values.shape, strides=values.stride(), storage_offset=values.storage_offset(), dtype=values.dtype,
            device=f"{NAME}:0", requires_grad=values.requires_grad,
        )  # fmt: skip
        tensor.values = values
        return tensor

    def __repr__(self, **_: Any) -> str:
        return f"SecondTensor({self.values})"

    def tolist(self) -> Any:
        """Python numbers, a copy to the CPU as on a GPU."""
        return self.values.tolist()

    def numpy(self, **_: Any) -> Any:
        """Refuse, as CUDA's tensors do."""
        raise TypeError(f"can't convert a tensor on {NAME}:0 to numpy; use Tensor.cpu() first")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.values.__reduce_ex__(protocol)  # saved as if it had been copied to the CPU

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(operation, args, dict(kwargs or {}))


def compute(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Carry out one operation of torch's on the values; its result lies where the operation would put it."""
    if operation in PACKED:
        return operation.decompose(*args, **kwargs)
    tensors: list[Tensor] = []
    plain_args, plain_kwargs = _values((args, kwargs), tensors)
    second = [value for value in tensors if isinstance(value, SecondTensor)]
    if second and not operation._schema.name.removeprefix("aten::").startswith(CROSSING):
        on_cpu = [value for value in tensors if not isinstance(value, SecondTensor) and value.dim() > 0]
        if on_cpu:
            raise RuntimeError(f"{operation}: tensors on {NAME}:0 and on the CPU, {tuple(on_cpu[0].shape)}")
    to_second = bool(second)
    if kwargs.get("device") is not None:
        to_second = torch.device(kwargs["device"]).type == NAME
        plain_kwargs["device"] = torch.device("cpu")
    result = FUSED_CELLS.get(operation, operation)(*plain_args, **plain_kwargs)
    if operation._schema.name.endswith("_") and isinstance(args[0], Tensor):  # in place
        if torch.Tag.inplace_view in operation.tags and isinstance(args[0], SecondTensor):
            with no_dispatch():
                operation(*args, **kwargs)  # the wrapper takes its new shape
        return args[0]
    # A view of a tensor that was made outside of inference mode is no inference tensor.
    inference = torch.is_inference_mode_enabled() and all(value.is_inference() for value in second)
    with torch.inference_mode(inference):
        if operation is torch.ops.aten._pack_padded_sequence.default and to_second:
            return _on_second(result[0]), result[1]  # the sizes of the steps' batches stay on the CPU, too
        return _on_second(result) if to_second else result


def _values(value: Any, tensors: list[Tensor]) -> Any:
    """Arguments with the values of their tensors on the second device; all tensors are appended to `tensors`."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return value.values if isinstance(value, SecondTensor) else value
    if isinstance(value, list | tuple):
        return type(value)(_values(part, tensors) for part in value)
    return {key: _values(part, tensors) for key, part in value.items()} if isinstance(value, dict) else value


def _on_second(value: Any) -> Any:
    """Results with their tensors on the second device."""
    if isinstance(value, Tensor):
        return value if isinstance(value, SecondTensor) else SecondTensor(value)
    return type(value)(map(_on_second, value)) if isinstance(value, list | tuple) else value


def gru_cell(
    inputs: Tensor, hidden: Tensor, state: Tensor, input_bias: Tensor | None = None, hidden_bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Step a GRU, from its gates' products (B, 3 H) and state (B, H): the new state, and (B, 5 H) for its gradient.

    Cho et al., EMNLP 2014, in torch's order: reset, update, candidate.
    """
    inputs = inputs if input_bias is None else inputs + input_bias
    hidden = hidden if hidden_bias is None else hidden + hidden_bias
    reset_in, update_in, new_in = inputs.chunk(3, dim=1)
    reset_hidden, update_hidden, new_hidden = hidden.chunk(3, dim=1)
    reset, update = (reset_in + reset_hidden).sigmoid(), (update_in + update_hidden).sigmoid()
    new = (new_in + reset * new_hidden).tanh()
    return new + update * (state - new), torch.cat([reset, update, new, state, new_hidden], dim=1)


def gru_cell_backward(gradient: Tensor, saved: Tensor, has_bias: bool) -> tuple[Tensor | None, ...]:
    """The gradients of `gru_cell`: of both products, the state and both biases."""
    reset, update, new, state, new_hidden = saved.chunk(5, dim=1)
    of_new = gradient * (1 - update) * (1 - new * new)
    of_update = gradient * (state - new) * update * (1 - update)
    of_reset = of_new * new_hidden * reset * (1 - reset)
    inputs = torch.cat([of_reset, of_update, of_new], dim=1)
    hidden = torch.cat([of_reset, of_update, of_new * reset], dim=1)
    biases = (inputs.sum(dim=0), hidden.sum(dim=0)) if has_bias else (None, None)
    return inputs, hidden, gradient * update, *biases


def lstm_cell(
    inputs: Tensor, hidden: Tensor, cell: Tensor, input_bias: Tensor | None = None, hidden_bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Step an LSTM, from its gates' products (B, 4 H) and cell (B, H): output, cell, and (B, 4 H) for its gradient.

    Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000), in torch's order: in, forget, candidate, out.
    """
    gates = inputs + hidden
    if input_bias is not None and hidden_bias is not None:
        gates = gates + input_bias + hidden_bias
    enter, keep, new, leave = gates.chunk(4, dim=1)
    enter, keep, new, leave = enter.sigmoid(), keep.sigmoid(), new.tanh(), leave.sigmoid()
    following = keep * cell + enter * new
    return leave * following.tanh(), following, torch.cat([enter, keep, new, leave], dim=1)


def lstm_cell_backward(
    of_output: Tensor | None, of_cell: Tensor | None, cell: Tensor, following: Tensor, saved: Tensor, has_bias: bool
) -> tuple[Tensor | None, ...]:
    """The gradients of `lstm_cell`: of the products, the cell and the biases."""
    enter, keep, new, leave = saved.chunk(4, dim=1)
    squashed = following.tanh()
    of_output = torch.zeros_like(squashed) if of_output is None else of_output
    of_following = of_output * leave * (1 - squashed * squashed) + (0.0 if of_cell is None else of_cell)
    gates = torch.cat(
        [
            of_following * new * enter * (1 - enter),
            of_following * cell * keep * (1 - keep),
            of_following * enter * (1 - new * new),
            of_output * squashed * leave * (1 - leave),
        ],
        dim=1,
    )
    return gates, of_following * keep, gates.sum(dim=0) if has_bias else None


FUSED_CELLS: dict[Any, Callable[..., Any]] = {  # torch has no kernels of them for the CPU
    torch.ops.aten._thnn_fused_gru_cell.default: gru_cell,
    torch.ops.aten._thnn_fused_gru_cell_backward.default: gru_cell_backward,
    torch.ops.aten._thnn_fused_lstm_cell.default: lstm_cell,
    torch.ops.aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
}


class _DispatchMode(TorchDispatchMode):
    """Carries out operations that make tensors on the device out of nothing, such as torch.zeros."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(operation, args, dict(kwargs or {}))


class _TensorFromList(TorchFunctionMode):
    """Makes torch.tensor(list, device="second") on the CPU and moves it: torch allocates it without dispatching."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        device = kwargs.get("device")
        if function in (torch.tensor, torch.as_tensor) and device is not None and torch.device(device).type == NAME:
            return function(*args, **{**kwargs, "device": "cpu"}).to(device)
        return function(*args, **kwargs)


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return []


BACKEND = (  # kept here: torch holds no references to them
    _Module(),
    backend_registration._DummyPrivateUse1Hook(),
    backend_registration._DummyDeviceGuard(),
)


@contextlib.contextmanager
def second_device() -> Iterator[torch.device]:
    """Give the device; its tensors can be made and used as long as the context is open."""
    if torch._C._get_privateuse1_backend_name() != NAME:  # once a process: torch cannot forget a backend
        backend_registration._setup_privateuseone_for_python_backend(NAME, *BACKEND)
    # Backward passes stay in this thread: an error in torch's thread for the device would end the process.
    with torch.autograd.set_multithreading_enabled(False), _TensorFromList(), _DispatchMode():
        yield torch.device(f"{NAME}:0")
