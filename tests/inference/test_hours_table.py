"""The hourly table and the start of a recording in the files of --predict."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from inference.files import AnnotateOptions, annotate_file
from inference.hours_table import write_hours
from loaders.io.discovery import Item
from tests.made import Rule, small_record, write_format

RATES = {"mean": 70.0, "min": 60.5, "max": None}
HRV = {"mean_nn_ms": 857.1, "sdnn_ms": 40.0, "rmssd_ms": None, "windows": 12}


def hour(start: float, clock: str | None, beats: int) -> dict[str, object]:
    return {
        "from": start, "to": start + 3600, "clock": clock, "beats": {"all": beats, "N": beats - 1, "V": 1},
        "rate_per_min": RATES, "runs": {"V": 2}, "couplets": {"V": 3}, "pauses": 4, "longest_rr_s": 2.5,
        "af_minutes": 6.25, "judged": 0.75, "hrv": HRV,
    }  # fmt: skip


def test_a_line_for_each_hour_and_one_for_all(tmp_path: Path) -> None:
    rows = [hour(0, "2020-03-02T22:00:00", 4000), hour(3600, "2020-03-02T23:00:00", 4100)]
    write_hours(tmp_path / "hours.csv", {"hours": rows, "totals": {**hour(0, "2020-03-02T22:00:00", 8100), "to": 7200}})
    first, second, _, whole = (tmp_path / "hours.csv").read_text().splitlines()
    assert first == (
        "hour,from_s,to_s,clock,beats,N,V,rate_mean,rate_min,rate_max,V_runs,V_couplets,pauses,longest_rr_s,af_minutes,"
        "judged,mean_nn_ms,sdnn_ms,rmssd_ms"
    )
    assert second == "1,0,3600,2020-03-02T22:00:00,4000,3999,1,70.0,60.5,,2,3,4,2.5,6.25,0.75,857.1,40.0,"
    assert whole.startswith("all,0,7200,2020-03-02T22:00:00,8100,8099,1,")


def test_the_files_of_a_recording_agree(tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", small_record(0.3).digital, "16")
    first, rest = header.read_text().split("\n", 1)
    header.write_text(f"{first} 22:15:00 02/03/2020\n{rest}")
    annotate_file(Item(header), Rule(), AnnotateOptions())
    summary = json.loads((tmp_path / "r.ecg.json").read_text())
    assert summary["start"] == "2020-03-02T22:15:00"
    assert len(summary["hours"]) == 1 and summary["hours"][0]["beats"] == summary["totals"]["beats"] == summary["beats"]
    assert summary["totals"]["rate_per_min"] == summary["rate_per_min"]
    assert summary["totals"]["judged"] == round(summary["signal_quality"]["usable"], 4)
    assert summary["day_night"]["night"]["rate_per_min"]["mean"] == summary["rate_per_min"]["mean"]
    lines = pd.read_csv(tmp_path / "r.ecg.hours.csv")
    assert lines["hour"].tolist() == ["1", "all"] and set(lines["clock"]) == {"2020-03-02T22:15:00"}
    assert lines["beats"].tolist() == [summary["beats"]["all"]] * 2
