"""The torch device: choice, determinism, precision."""

from __future__ import annotations

import os
from typing import Any

import torch


def pick_device(disable_cuda: bool = False) -> torch.device:
    """The torch device to work on: the GPU, if there is one and it may be used."""
    return torch.device("cuda" if torch.cuda.is_available() and not disable_cuda else "cpu")


def make_deterministic(deterministic: bool) -> None:
    """Let torch choose algorithms that give the same bits every time, or raise where it has none (--deterministic).

    On a GPU, cuBLAS needs a workspace for that; the variable is read when it starts.
    """
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # even to leave it off, the call imports torch's compiler
    if torch.are_deterministic_algorithms_enabled() != deterministic:
        torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = False


def use_bf16(precision: str, device: torch.device) -> bool:
    """Whether --precision means bfloat16 on `device`: "auto" takes it where the hardware multiplies it.

    That is AMX-BF16 or AVX512-BF16 on CPUs, compute capability 8.0 (Ampere) and newer on GPUs.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older releases of torch have none
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))
