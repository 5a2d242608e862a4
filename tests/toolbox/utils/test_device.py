"""The device that --device means."""

from __future__ import annotations

import pytest
import torch

from toolbox.utils import UserError
from toolbox.utils.device import describe_device, pick_device


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(
    cuda: bool, mps: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device() == torch.device(device)
    assert pick_device("auto", disable_cuda=True) == torch.device("cpu")
    assert pick_device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"device cuda:99: torch cannot use it here; there are: .*cpu \("):
        pick_device("cuda:99")


def test_a_device_is_described_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads, words in ((1, "cpu, 1 thread"), (3, "cpu, 3 threads")):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert describe_device(torch.device("cpu")) == words
    assert describe_device(torch.device("mps")) == "mps"
