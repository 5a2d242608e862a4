"""Several processes at one task, as torchrun (or whoever starts several) tells each by its environment."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from toolbox.utils import UserError

LONGEST = timedelta(days=14)  # that the first to finish waits for the last


def rank_and_world_size() -> tuple[int, int]:
    """Which of how many processes this is: RANK and WORLD_SIZE, (0, 1) where they are not set.

    Raises:
        UserError: they tell no such thing.
    """
    rank, world = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdigit() and world.isdigit() and int(rank) < int(world)):
        raise UserError(f"RANK is {rank!r}, WORLD_SIZE {world!r}: expected numbers, the first below the second")
    return int(rank), int(world)


def all_gather(value: Any) -> list[Any]:
    """The `value` of each process that torchrun started, by rank, once all have come here; else this one's alone.

    torchrun ends all processes when one of them fails; so none may before all are done.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or rank_and_world_size()[1] == 1:
        return [value]
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=LONGEST)
    try:
        values: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(values, value)
    finally:
        dist.destroy_process_group()
    return values
