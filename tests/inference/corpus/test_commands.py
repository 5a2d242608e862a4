"""--score and the building of caches on a cluster, from an object store, as without either."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest

import commander
from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import read_rows
from loaders.io.wfdb_record import write_wfdb
from loaders.sources.records import read_all
from loaders.sources.synthetic import synthesize
from tests.made import write_annotations, write_header
from toolbox.utils import UserError
from toolbox.utils.dask_pool import DaskPool
from toolbox.utils.parallel import pool


def test_scores_on_a_cluster_and_from_a_store_are_those_of_a_folder(
    store: str, cluster: DaskPool, tmp_path: Path
) -> None:
    for name, symbols in (("a", "NNVN"), ("b", "NASN"), ("c", "NNNN")):
        write_header(tmp_path, name)
        write_annotations(tmp_path, name, "atr", [70_000, 80_000, 81_000, 82_000], symbols)
        if name != "c":
            write_annotations(tmp_path, name, "ecg", [70_010, 80_010, 81_010, 82_039], "NNVN")
    address = f"{store}/scored"
    fsspec.filesystem("s3").put(str(tmp_path), address, recursive=True)
    expected = commander.main(["--score", str(tmp_path)])
    assert set(expected["records"]) == {"a", "b"} and expected["not_scored"] == ["c"]
    with pool(cluster.spread):
        assert commander.main(["--score", str(tmp_path)]) == expected
        assert commander.main(["--score", address]) == expected
        only = commander.main(["--score", f"{address}/a", "--score-dir", address])
    assert only["records"] == {"a": expected["records"]["a"]}
    with pytest.raises(UserError, match=r"s3://hearts/scored/c\.ecg: no such file"):
        commander.main(["--score", f"{address}/c"])
    with pytest.raises(UserError, match="not both in one call"):
        commander.main(["--score", address, str(tmp_path)])
    with pytest.raises(UserError, match=r"s3://hearts/none: no such file or folder"):
        commander.main(["--score", f"{store}/none"])


def test_rows_of_a_cache_are_cut_on_a_cluster_as_here(cluster: DaskPool, tmp_path: Path) -> None:
    for record in synthesize(2, 1, 0):
        write_wfdb(record, tmp_path)
    paths = sorted(path.with_suffix("") for path in tmp_path.glob("*.hea"))
    read = partial(read_rows, spec=InputSpec())
    expected = read_all(paths, read)
    with pool(cluster.spread):
        cut = read_all(paths, read)
    assert [len(beats) for beats in cut] == [len(beats) for beats in expected] and len(cut) == 2
    for one, other in zip(cut, expected, strict=True):
        assert all(np.array_equal(array, other.arrays()[name]) for name, array in one.arrays().items())
    paths[1].with_suffix(".dat").unlink()
    with pool(cluster.spread), pytest.raises(UserError, match=r"\.dat is missing"):
        read_all(paths, read)
