"""A cluster of three workers and an object store on loopback, each started once a session; small recordings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dask
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from tests.made import small_record, write_format
from toolbox.utils.dask_pool import DaskPool

BUCKET = "s3://hearts"
NAMES = ("a/r0", "a/r1", "b/r0", "r3", "r6")


@pytest.fixture(scope="session")
def store() -> Iterator[str]:
    """The address of an empty bucket of an object store on loopback, known to this process and those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ACCESS_KEY_ID": "key",
            "SECRET_ACCESS_KEY": "secret",
            "DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(f"AWS_{name}", value)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        fsspec.filesystem("s3").mkdir(BUCKET)
        yield BUCKET
        server.stop()


@pytest.fixture(scope="session")
def cluster(store: str) -> Iterator[DaskPool]:
    """Three workers; a recording whose worker dies twice is given up."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), DaskPool("local:3", 3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five short recordings of different lengths, in three folders, two of them with the same name."""
    folder = tmp_path_factory.mktemp("corpus") / "in"
    digital = small_record().digital
    for k, name in enumerate(NAMES):
        path = folder / name
        write_format(path.parent, path.name, digital[: 12000 + 1200 * k], "16")
    return folder


@pytest.fixture
def in_store(store: str, recordings: Path, request: pytest.FixtureRequest) -> str:
    """The address of a folder with these recordings, of this test alone."""
    address = f"{store}/{request.node.name}"
    fsspec.filesystem("s3").put(str(recordings), f"{address}/in", recursive=True)
    return address


@pytest.fixture
def own(recordings: Path, tmp_path: Path) -> Path:
    """A copy of the recordings for a test that writes beside them."""
    return Path(shutil.copytree(recordings, tmp_path / "in"))
