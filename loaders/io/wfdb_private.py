"""Private functions of wfdb and edfio that this project calls, all in one place: a new release may change them.

wfdb brings pandas, which takes most of a second: it is imported where a file is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERSIONS = {"wfdb": "4.3.1", "edfio": "0.4.18"}  # the releases whose private functions these are


def parse_annotations(file: Path) -> tuple[list[int], list[int], list[str]]:
    """The sample, code and note of each annotation in `file`, without any interpretation.

    Raises:
        IndexError: the last annotation goes beyond the end of the file.
    """
    from wfdb.io.annotation import load_byte_pairs, proc_ann_bytes

    byte_pairs = load_byte_pairs(str(file.with_suffix("")), file.suffix[1:], None)
    sample, code, *_, note = proc_ann_bytes(byte_pairs, None)
    return sample, code, note


def read_stored_samples(
    folder: Path, header: Any, leads: Sequence[int], start: int, stop: int, ignore_skew: bool
) -> list[np.ndarray]:
    """The samples of `leads` as stored, between two frames of a record in `folder`.

    This is what wfdb.rdrecord calls; that parses the header anew for each block, reads no block of a record whose
    header lacks the length, and gives no integers of format 61.
    """
    from wfdb.io._signal import _rd_segment

    layout = (header.fmt, header.n_sig, header.sig_len, header.byte_offset, header.samps_per_frame, header.skew)
    samples: list[np.ndarray] = _rd_segment(
        header.file_name, str(folder), None, *layout, header.init_value, start, stop, list(leads), ignore_skew
    )
    return samples


def timekeeping_samples(edf: Any) -> np.ndarray:
    """(data records, samples) of the EDF+ signal that states when each data record starts; it has no public name."""
    samples: np.ndarray = edf._timekeeping_signal.digital.reshape(edf.num_data_records, -1)
    return samples
