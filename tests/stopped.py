"""Trainings that end in the middle of an epoch, as if the power had failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trainer


class Stopped(Exception):
    """Ends a training right after it saved."""


def stop_at_save(number: int, start: Callable[[], object]) -> Path:
    """Call `start`, which trains, and stop it once it has saved `number` times; the checkpoint that was saved last."""
    save, saved = trainer.save_checkpoint, list[Path]()

    def stop(path: Path, state: dict[str, Any]) -> Path:
        saved.append(save(path, state))
        if len(saved) == number:
            raise Stopped
        return saved[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "save_checkpoint", stop)
        with pytest.raises(Stopped):
            start()
    return saved[-1]
