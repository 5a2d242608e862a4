"""annotate_corpus: a worker that is killed, an object store, tables of all, what is finished is skipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow.dataset as ds
import pytest

from inference.corpus import one
from inference.corpus.many import annotate_corpus
from inference.files import AnnotateOptions
from inference.load import load_classifier
from inference.many import annotate_files
from loaders.io.discovery import find_recordings
from tests.inference.corpus.conftest import NAMES
from tests.inference.corpus.deadly import double
from tests.inference.corpus.mortal import Mortal, Rule
from toolbox.utils import UserError
from toolbox.utils.dask_pool import DaskPool
from toolbox.utils.parallel import pool


@pytest.fixture(scope="module")
def expected(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the recordings as `annotate_files` writes them."""
    out = tmp_path_factory.mktemp("expected")
    items, _ = find_recordings([str(recordings)], csv=False)
    annotate_files(items, {}, Rule(), AnnotateOptions(out=out), 0)
    return out


def lines(tables: str | Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(f"{tables}/{table}")


def check_tables(tables: str | Path, expected: Path) -> None:
    """Each recording is in the tables once, with the rows of its own files."""
    beats, recordings, episodes = (lines(tables, name) for name in ("beats", "recordings", "episodes"))
    assert sorted(recordings["id"]) == sorted(NAMES)
    assert set(beats["id"]) == set(NAMES)
    for name in NAMES:
        table = pd.read_csv(expected / f"{name}.ecg.csv", comment="#", keep_default_na=False, na_values=[""])
        own = beats[beats["id"] == name].reset_index(drop=True)
        for column in ("time_s", "sample", "rr_s", "class"):
            pd.testing.assert_series_equal(own[column], table[column], check_dtype=False)
        assert abs(own["p_V"] - table["p_V"]).max() < 1e-6 and own["p_A"].isna().all()
        marks = pd.read_csv(expected / f"{name}.ecg.episodes.csv")
        assert episodes[episodes["id"] == name]["kind"].tolist() == marks["kind"].tolist()
        (line,) = recordings[recordings["id"] == name].to_dict("records")
        assert (line["beats"], line["fs"], line["page"]) == (len(table), 360.0, f"{name}.ecg.html")


def test_a_killed_worker_loses_nothing_and_repeats_nothing(
    recordings: Path, expected: Path, cluster: DaskPool, tmp_path: Path
) -> None:
    said: list[dict[str, Any]] = []
    mark, out = tmp_path / "died", tmp_path / "out"
    with pool(cluster.spread):
        result = annotate_corpus([str(recordings)], Mortal(mark), AnnotateOptions(), out=str(out), report=said.append)
    assert mark.exists()  # a worker died
    assert result == {"recordings": 5, "done_before": 0, "failed": {}, "tables": str(out / "parquet")}
    assert sorted(one["id"] for one in said) == sorted(NAMES)
    for name in NAMES:
        for end in ("", ".csv", ".episodes.csv", ".hours.csv"):
            assert (out / f"{name}.ecg{end}").read_bytes() == (expected / f"{name}.ecg{end}").read_bytes()
    assert not list(out.rglob(".*"))
    check_tables(out / "parquet", expected)
    schema = ds.dataset(out / "parquet" / "beats", partitioning="hive").schema
    assert schema.field("rr_s").metadata == {b"unit": b"s"} and "part" in schema.names

    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.name != "failed.parquet"}
    again = annotate_corpus([str(recordings)], Mortal(mark), AnnotateOptions(), out=str(out))
    assert again["done_before"] == again["recordings"] == 5
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_what_kills_each_worker_is_listed_and_its_neighbours_are_not(cluster: DaskPool) -> None:
    items: list[int | str] = [1, 2, "deadly", 3, "wrong", *range(4, 40)]
    results = dict(cluster.spread(double, items))
    assert sorted(results) == list(range(len(items)))
    assert [results[k] for k in (0, 1, 3)] == [2, 4, 6] and results[len(items) - 1] == 78
    assert isinstance(results[2], UserError) and "its worker died 2 times" in str(results[2])
    assert str(results[4]).startswith("ValueError: wrong")


def test_from_and_to_an_object_store(
    in_store: str, expected: Path, cluster: DaskPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fsspec.filesystem("s3")
    source, out = f"{in_store}/in", f"{in_store}/out"
    store.pipe_file(f"{source}/broken.hea", b"broken 1 360 1000\nbroken.dat 16 200 16 0 0 0 0 MLII\n")
    with pool(cluster.spread):
        result = annotate_corpus([source], Rule(), AnnotateOptions(), out=out)
    assert (result["recordings"], result["done_before"], result["tables"]) == (5, 0, f"{out}/parquet")
    why = f"{source}/broken.dat: no such file or folder"
    assert result["failed"] == {f"{source}/broken.hea": why}
    assert lines(result["tables"], "failed.parquet").to_dict("records") == [
        {"path": f"{source}/broken.hea", "reason": why}
    ]
    for name in NAMES:
        for end in ("", ".csv", ".episodes.csv", ".hours.csv"):
            assert store.cat_file(f"{out}/{name}.ecg{end}") == (expected / f"{name}.ecg{end}").read_bytes()
    check_tables(result["tables"], expected)
    assert lines(result["tables"], "recordings").set_index("id").loc["a/r0", "path"] == f"{source}/a/r0.hea"

    fetched: list[str] = []
    monkeypatch.setattr(one, "fetch_recording", lambda item, *_: fetched.append(item.address))
    store.rm_file(f"{source}/broken.hea")
    again = annotate_corpus([source], Rule(), AnnotateOptions(), out=out)
    assert again["done_before"] == again["recordings"] == 5 and fetched == []
    assert lines(result["tables"], "failed.parquet").empty


def test_a_changed_recording_is_annotated_again_and_a_corrected_file_is_kept(in_store: str) -> None:
    store = fsspec.filesystem("s3")
    source = f"{in_store}/in"
    first = annotate_corpus([f"{source}/a"], Rule(), AnnotateOptions())  # beside the recordings
    assert first["recordings"] == 2 and first["tables"] == f"{source}/a/parquet"
    before = lines(first["tables"], "beats")
    for kind in ("hea", "dat"):
        store.cp_file(f"{source}/r6.{kind}", f"{source}/a/r0.{kind}")
    header = store.cat_file(f"{source}/a/r0.hea").replace(b"r6", b"r0")
    store.pipe_file(f"{source}/a/r0.hea", header)
    second = annotate_corpus([f"{source}/a"], Rule(), AnnotateOptions())
    assert second == {**first, "done_before": 1}
    after = lines(first["tables"], "beats")
    assert (after["id"] == "r0").sum() > (before["id"] == "r0").sum()
    assert (after["id"] == "r1").sum() == (before["id"] == "r1").sum()

    store.pipe_file(f"{source}/a/r1.ecg", b"corrected\0\0")
    third = annotate_corpus([f"{source}/a"], Rule("2"), AnnotateOptions())
    assert third["recordings"] == 1
    assert third["failed"][f"{source}/a/r1.hea"].startswith(f"{source}/a/r1.ecg is not as --predict wrote it")
    assert store.cat_file(f"{source}/a/r1.ecg") == b"corrected\0\0"


def test_a_copy_that_is_cut_off_is_taken_up(in_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever writing stops, the files that are there are known, and the next call goes on."""
    source = f"{in_store}/in/b"
    put: Callable[..., None] = one.Store.put
    for after in range(1, 4):
        written: list[str] = []

        def stop(self: Any, path: Path, address: str, after: int = after, written: list[str] = written) -> None:
            if len(written) == after:
                raise UserError("the store is gone")
            written.append(address)
            put(self, path, address)

        with monkeypatch.context() as patch, pytest.raises(UserError, match="the store is gone"):
            patch.setattr(one.Store, "put", stop)
            annotate_corpus([source], Rule(str(after)), AnnotateOptions())
    assert annotate_corpus([source], Rule("9"), AnnotateOptions())["recordings"] == 1


def test_a_network_without_torch_annotates_on_the_cluster(recordings: Path, cluster: DaskPool, tmp_path: Path) -> None:
    network = load_classifier("two-lead", engine="onnx")
    with pool(cluster.spread):
        result = annotate_corpus([str(recordings / "r3")], network, AnnotateOptions(), out=str(tmp_path))
    assert result["recordings"] == 1 and os.listdir(tmp_path / "parquet" / "beats")  # noqa: PTH208
