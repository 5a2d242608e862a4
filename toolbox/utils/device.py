"""The torch device: choice, determinism, precision. The only ground-floor module that imports torch, lazily."""

from __future__ import annotations

import os
from typing import Any


def pick_device(disable_cuda: bool = False) -> Any:
    """The torch device to work on: the GPU, if there is one and it may be used."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() and not disable_cuda else "cpu")


def make_deterministic(wanted: bool) -> None:
    """Let torch choose algorithms that give the same bits every time, or raise where it has none (--deterministic).

    On a GPU, cuBLAS needs a workspace of its own for that; the variable is read when it starts.
    """
    import torch

    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if (
        torch.are_deterministic_algorithms_enabled() != wanted
    ):  # even to leave it off, the call imports torch's compiler
        torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = False


def use_bf16(precision: str, device: Any) -> bool:
    """Whether --precision means bfloat16 on `device`: "auto" takes it where the hardware multiplies it.

    That is AMX-BF16 or AVX512-BF16 on CPUs, compute capability 8.0 (Ampere) and newer on GPUs.
    """
    import torch

    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    has = (getattr(torch.cpu, name, lambda: False) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask() for ask in has)
