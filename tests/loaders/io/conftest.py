"""A recording that tests write in every format."""

from __future__ import annotations

import pytest

from loaders.io.wfdb_record import Record
from tests.made import small_record


@pytest.fixture(scope="package")
def record() -> Record:
    return small_record(0.5)
