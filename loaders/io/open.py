"""Open a recording by the suffix of its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loaders.io.csv_recording import open_csv
from loaders.io.edf_recording import open_edf
from loaders.io.recording import CSV_SUFFIXES, CsvFormat, Recording
from loaders.io.wfdb_recording import open_wfdb
from toolbox.utils import UserError

# By suffix in lower case: opens a path; only CSV files need to be described.
OPENERS: dict[str, Callable[[Path, CsvFormat], Recording]] = {
    ".hea": lambda path, _: open_wfdb(path.with_suffix("")),
    ".edf": lambda path, _: open_edf(path),
    **dict.fromkeys(CSV_SUFFIXES, open_csv),
}


def open_recording(path: Path, csv: CsvFormat) -> Recording:
    """Open the recording `path`: a WFDB header (.hea), an EDF (.edf) or a CSV (.csv, .tsv, .txt) file.

    Raises:
        UserError: it is missing, damaged, or none of these.
    """
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise UserError(f"{path} is no recording: expected a WFDB record, an EDF file or a CSV file")
    return opener(path, csv)
