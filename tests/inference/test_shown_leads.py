"""inference.shown_leads: the signals of leads as pages show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.shown_leads import shown_leads
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat


def test_each_lead_is_its_own_signal_with_gaps_and_scaled(tmp_path: Path) -> None:
    t = np.arange(20 * 360) / 360
    signal = np.stack([np.sin(2 * np.pi * t), 2 * np.cos(2 * np.pi * t)], axis=1).round(3)
    text = [
        ",".join("" if 3600 <= k < 3960 and c else f"{v:.3f}" for c, v in enumerate(row))
        for k, row in enumerate(signal)
    ]
    (tmp_path / "r.csv").write_text("\n".join(["I,II", *text]) + "\n")
    recording = open_recording(tmp_path / "r.csv", CsvFormat(360.0))
    for scale in (1.0, 0.5):
        traces = shown_leads(recording, ["II", "I"], scale)
        assert list(traces) == ["II", "I"]
        for name, column in (("I", 0), ("II", 1)):
            _, shown = traces[name].read(0, 20)
            expected = scale * signal[:, column]
            if name == "II":
                expected[3600:3960] = np.nan
            assert np.allclose(shown, expected, atol=0.003, equal_nan=True)
