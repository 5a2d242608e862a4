"""The checksum of an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolbox.export.onnx_file import has_valid_checksum


def test_any_flipped_bit_of_a_file_is_found(workplace: Path) -> None:
    content = (workplace / "model.onnx").read_bytes()
    assert has_valid_checksum(content)
    places = np.random.default_rng(0).integers(0, len(content), 200).tolist()
    for place in [*places, *range(len(content) - 80, len(content))]:
        assert not has_valid_checksum(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
