"""toolbox.runs.folders.by_age: the newest of one name is its highest version, whatever the clock said."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolbox.runs.folders import list_runs, select
from toolbox.utils import write_json

NAME, OTHER = "ecg_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_", "ecg_mlp_opadam_StepLR_lr0.01_nll_bs128_"


def make(root: Path, name: str, version: int, started: str) -> None:
    options = {"dataset": "ecg", "model_name": name.split("_op", maxsplit=1)[0].removeprefix("ecg_")}
    path = root / "ecg" / "runs" / f"{name}{version}"
    path.mkdir(parents=True)
    write_json(path / "config.json", {"version": version, "started": started, "options": options})


@pytest.mark.parametrize(
    ("runs", "order"),
    [
        ([(NAME, 1, "2026"), (NAME, 2, "2001")], [(NAME, 1), (NAME, 2)]),
        ([(NAME, 9, "2026"), (NAME, 10, "2026"), (NAME, 11, "1970")], [(NAME, 9), (NAME, 10), (NAME, 11)]),
        ([(NAME, 1, "2026"), (NAME, 2, "2001"), (OTHER, 1, "2025")], [(OTHER, 1), (NAME, 1), (NAME, 2)]),
        ([(NAME, 1, "2024"), (NAME, 3, "2001"), (OTHER, 1, "2025")], [(NAME, 1), (NAME, 3), (OTHER, 1)]),
        ([(NAME, 1, "2026"), (OTHER, 1, "2025"), (OTHER, 2, "2027")], [(OTHER, 1), (NAME, 1), (OTHER, 2)]),
    ],
)
def test_versions_rise_with_age(tmp_path: Path, runs: list[tuple[str, int, str]], order: list[tuple[str, int]]) -> None:
    for run in runs:
        make(tmp_path, *run)
    listed = list_runs(tmp_path)
    assert [run.name for run in listed] == [f"{name}{version}" for name, version in order]
    assert select(listed, {}, None).name == "".join(map(str, order[-1]))
