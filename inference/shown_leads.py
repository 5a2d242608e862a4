"""The signals of leads as pages show them."""

from __future__ import annotations

from loaders.beats.segmenter import BLOCK
from loaders.dsp.chunks import Chunker, iter_chunks, recorded
from loaders.io.recording import Recording
from toolbox.holter.trace import CompressedTrace


def shown_leads(recording: Recording, names: list[str], scale: float = 1.0) -> dict[str, CompressedTrace]:
    """Read leads once more, for pictures: each compressed as it comes, mV at 360 Hz, NaN where samples are missing.

    Args:
        recording: the file.
        names: of its leads.
        scale: of all of them, where their unit is not mV.
    """
    positions = {lead.name: k for k, lead in enumerate(recording.leads)}
    return {name: _shown(recording, positions[name], scale) for name in names}


def _shown(recording: Recording, position: int, scale: float) -> CompressedTrace:
    trace = CompressedTrace()
    chunker = Chunker(recording.leads[position].fs)
    for chunk in iter_chunks(recording.stream(position, BLOCK), chunker):
        trace.add(recorded(chunk) * scale)
    return trace.finish()
