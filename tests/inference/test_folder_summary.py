"""summary.csv: a line for each recording of a folder, of this call and of those before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from inference.files import AnnotateOptions
from inference.folder_summary import common_folder, is_own_summary, summarize_folder
from inference.many import annotate_files
from loaders.io.csv.recording import open_csv
from loaders.io.discovery import Item, find_recordings
from loaders.io.recording import CsvFormat
from tests.made import Rule, small_record, write_format
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of 18 s; the second begins at a known time."""
    folder = tmp_path_factory.mktemp("in")
    for name, words in (("a", ""), ("b", " 22:15:00 02/03/2020"), ("c", "")):
        header = write_format(folder / ("below" if name == "c" else ""), name, small_record(0.3).digital, "16")
        first, rest = header.read_text().split("\n", 1)
        header.write_text(f"{first}{words}\n{rest}")
    return folder


def items(folder: Path, *names: str) -> list[Item]:
    return [item for item in find_recordings([str(folder)], csv=False)[0] if item.name in names]


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, comment="#").set_index("recording")


def annotate(folder: Path, out: Path, *names: str, **options: Any) -> dict[str, Any]:
    return annotate_files(items(folder, *names), {}, Rule(), AnnotateOptions(out=out, **options), 0)


def test_a_line_for_each_recording(folder: Path, tmp_path: Path) -> None:
    result = annotate(folder, tmp_path, "a", "b", "c")["recordings"]
    lines = table(tmp_path / "summary.csv")
    assert list(lines.index) == ["a", "b", "c"]
    assert lines["page"].tolist() == ["a.ecg.html", "b.ecg.html", "below/c.ecg.html"]
    assert lines.loc["b", "start"] == "2020-03-02T22:15:00" and lines["start"].isna().tolist() == [True, False, True]
    for summary in result.values():
        line = lines.loc[summary["recording"]]
        assert line["beats"] == summary["beats"]["all"] > 10 and line["seconds"] == summary["seconds"]
        assert line["leads"] == "MLII" and line["rate_mean"] == summary["rate_per_min"]["mean"]
        assert (line["V"], line["V_burden"]) == (summary["beats"]["V"], summary["burden"]["V"])
        assert line["V_runs"] == summary["runs"]["V"] and line["judged"] == summary["signal_quality"]["usable"]
        assert line["longest_rr_s"] == summary["extremes"]["longest_rr"]["seconds"]
    assert lines[["A", "rmssd_ms", "warnings"]].isna().all(axis=None)  # too short for RMSSD
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{page}"' in index for page in lines["page"])


def test_later_calls_and_shares_add_their_lines(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annotate(folder, tmp_path, "a")
    assert not (tmp_path / "summary.csv").exists()  # of one recording
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    annotate(folder, tmp_path, "a", "b", "c")
    assert list(table(tmp_path / "summary.csv").index) == ["a", "c"]
    monkeypatch.setenv("RANK", "1")
    annotate(folder, tmp_path, "a", "b", "c")
    assert list(table(tmp_path / "summary.csv").index) == ["a", "b", "c"]
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name)
    for path in tmp_path.glob("a.*"):
        path.unlink()
    annotate(folder, tmp_path, "b")
    assert list(table(tmp_path / "summary.csv").index) == ["b", "c"]  # what is gone has no line


def test_another_file_of_that_name_is_kept(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "summary.csv").write_text("mine\n")
    annotate(folder, tmp_path, "a", "b")
    assert (tmp_path / "summary.csv").read_text() == "mine\n"
    assert "summary.csv exists and is not as --predict wrote it; it is kept" in capsys.readouterr().err
    assert (tmp_path / "index.html").is_file()
    (tmp_path / "index.html").write_text("mine, too\n")
    (tmp_path / "summary.csv").unlink()
    annotate(folder, tmp_path, "a", "b")
    assert is_own_summary(tmp_path / "summary.csv")
    assert (tmp_path / "index.html").read_text() == "mine, too\n"
    assert "index.html exists and is not as --predict wrote it; it is kept" in capsys.readouterr().err
    edited = (tmp_path / "summary.csv").read_text().replace('"a"', '"patient 1"')
    (tmp_path / "summary.csv").write_text(edited)
    annotate(folder, tmp_path, "a", "b")
    assert (tmp_path / "summary.csv").read_text() == edited
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert not is_own_summary(tmp_path / "link")


def test_it_lies_in_the_folder_that_all_share(folder: Path, tmp_path: Path) -> None:
    pages = [str(tmp_path / "x" / "a.html"), str(tmp_path / "x" / "y" / "b.html")]
    assert common_folder(pages, None) == (tmp_path / "x").resolve()
    assert common_folder(pages, tmp_path) == tmp_path
    assert common_folder(["/a.html", "/tmp/b.html"], None) is None and common_folder([], None) is None


def test_it_is_no_recording_and_no_text_is_a_formula(folder: Path, tmp_path: Path) -> None:
    summaries = annotate(folder, tmp_path, "a", "b")["recordings"]
    renamed = {
        path: {**one, "recording": '=HYPERLINK("x")#\n', "warnings": ["a, b"]} for path, one in summaries.items()
    }
    summarize_folder(renamed, {}, tmp_path)
    lines = pd.read_csv(tmp_path / "summary.csv", comment="#")
    assert lines["recording"].tolist() == ['\'=HYPERLINK("x")#\\n'] * 2 and lines["warnings"].tolist() == ["a, b"] * 2
    with pytest.raises(UserError, match="that --predict wrote, no recording"):
        open_csv(tmp_path / "summary.csv", CsvFormat(360.0))
    with pytest.raises(UserError, match="that --predict wrote, no recording"):
        open_csv(tmp_path / "a.ecg.hours.csv", CsvFormat(360.0))
    assert not find_recordings([str(tmp_path)], csv=True)[0]
