"""Private functions of wfdb that this project calls, all in one place: a new release may change them.

wfdb brings pandas, which takes most of a second: it is imported where a file is read.
"""

from __future__ import annotations

from pathlib import Path


def parse_annotations(file: Path) -> tuple[list[int], list[int], list[str]]:
    """The sample, code and note of each annotation in `file`, without any interpretation.

    Raises:
        IndexError: the last annotation goes beyond the end of the file.
    """
    from wfdb.io.annotation import load_byte_pairs, proc_ann_bytes

    byte_pairs = load_byte_pairs(str(file.with_suffix("")), file.suffix[1:], None)
    sample, code, *_, note = proc_ann_bytes(byte_pairs, None)
    return sample, code, note
