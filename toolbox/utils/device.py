"""The torch device: choice, determinism, precision."""

from __future__ import annotations

import os
from typing import Any

import torch

from toolbox.utils.errors import UserError


def pick_device(name: Any = "auto", disable_cuda: bool = False) -> torch.device:
    """The torch device of --device: "auto" is CUDA where there is one, else Apple's MPS, else the CPU.

    Args:
        name: "auto", or a device as torch names it.
        disable_cuda: the predecessor's flag: "auto" is the CPU.

    Raises:
        UserError: this machine, or this build of torch, has no such device.
    """
    here = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if name == "auto":
        return torch.device("cpu" if disable_cuda else here[0])
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"device {name}: torch cannot use it here; there are: {', '.join(here)} ({reason})") from error
    return device


def describe_device(device: torch.device) -> str:
    """A device in words, as "cuda, NVIDIA H100" or "cpu, 8 threads"."""
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'' if threads == 1 else 's'}" if device.type == "cpu" else str(device)


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

    That is AMX-BF16 or AVX512-BF16 on CPUs, compute capability 8.0 (Ampere) and newer on NVIDIA's GPUs; not on Apple's.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "mps":
        return False
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older releases of torch have none
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))
