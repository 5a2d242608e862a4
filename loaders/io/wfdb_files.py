"""Files and samples of WFDB records, the same for training and for prediction.

Formats and headers: signal(5) and header(5) of the WFDB Applications Guide.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.recording import readable
from loaders.io.wfdb_private import read_stored_samples
from toolbox.utils import UserError

# By WFDB signal format: bytes of a sample; its bits, the lowest value of which stands for a missing sample.
SAMPLE_BYTES = {"8": 1, "80": 1, "212": 1.5, "310": 4 / 3, "311": 4 / 3, "16": 2, "61": 2, "160": 2, "24": 3, "32": 4}
BITS = {"80": 8, "508": 8, "310": 10, "311": 10, "212": 12, "24": 24, "524": 24, "32": 32}
BITS |= dict.fromkeys(("16", "61", "160", "516"), 16)  # format 8 stores differences and has no missing ones
DEFAULT_GAIN = 200.0  # header(5): units per mV where a header states none


def signal_file(path: Path, name: str) -> Path:
    """The file `name` beside the record `path`; UserError when it is missing or lies elsewhere."""
    if Path(name).name != name or "\\" in name:
        raise UserError(f"record {path}: the header names the signal file {name!r}, which lies in another folder")
    if not path.with_name(name).is_file():
        alike = [each.name for each in path.parent.glob("*") if each.name.lower() == name.lower()]
        remedy = f"; there is {alike[0]}: rename it to {name}" if alike else ""
        raise UserError(f"record {path}: {name} is missing{remedy}")
    return path.with_name(name)


def calibration(header: Any, lead: int) -> tuple[float, int]:
    """The gain of a lead, in ADC units per physical unit, and its baseline, the ADC value of 0."""
    baseline = header.baseline[lead]
    return (
        float(header.adc_gain[lead] or DEFAULT_GAIN),
        int(baseline if baseline is not None else header.adc_zero[lead] or 0),
    )


def missing_value(form: str) -> int:
    """The value that marks a missing sample in a signal format; one that no sample has where there is none."""
    return -(1 << BITS[form] - 1) if form in BITS else int(np.iinfo(np.int64).min)


def read_samples(
    path: Path, header: Any, leads: Sequence[int], start: int, stop: int, ignore_skew: bool = False
) -> list[np.ndarray]:
    """The int64 samples of `leads` in ADC units, between two frames of the record `path`.

    Args:
        ignore_skew: leave a skewed lead where it is stored.

    Raises:
        UserError: a signal file is damaged or ends before.
    """
    with readable(f"record {path}"):
        samples = read_stored_samples(path.parent, header, leads, start, stop, ignore_skew)
        for lead, each in zip(leads, samples, strict=True):
            if len(each) != (stop - start) * header.samps_per_frame[lead]:
                raise UserError(f"record {path}: frames {start} to {stop} are cut off")
        return [np.asarray(each, dtype=np.int64) for each in samples]
