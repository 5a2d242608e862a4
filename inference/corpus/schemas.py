"""The columns of a corpus's tables, with units in their metadata; docs/corpora.md lists them."""

from __future__ import annotations

import pyarrow as pa

TEXT, WHOLE, REAL, SHARE = pa.string(), pa.int64(), pa.float64(), pa.float32()
CLASSES = "NSVFQA"  # AAMI EC57, and A of networks of two classes


def _schema(columns: dict[str, tuple[pa.DataType, str]]) -> pa.Schema:
    fields = [pa.field(name, kind, metadata={"unit": unit} if unit else None) for name, (kind, unit) in columns.items()]
    return pa.schema(fields, metadata={"pytorch-ecg": "1"})


IDENTITY = {"id": (TEXT, "")}
SCHEMAS = {  # the table of recordings last: see tables.py
    "beats": _schema(
        IDENTITY
        | {"time_s": (REAL, "s"), "sample": (WHOLE, "samples"), "rr_s": (REAL, "s"), "class": (TEXT, "")}
        | {f"p_{letter}": (SHARE, "1") for letter in CLASSES}
    ),
    "episodes": _schema(
        IDENTITY
        | {"kind": (TEXT, ""), "start": (REAL, "s"), "stop": (REAL, "s")}
        | {"first": (WHOLE, "beats"), "last": (WHOLE, "beats"), "beats": (WHOLE, "beats"), "rate": (REAL, "1/min")}
    ),
    "recordings": _schema(
        IDENTITY
        | {"recording": (TEXT, ""), "path": (TEXT, ""), "start": (TEXT, ""), "seconds": (REAL, "s"), "fs": (REAL, "Hz")}
        | {"samples": (WHOLE, "samples"), "leads": (TEXT, ""), "beats": (WHOLE, "beats")}
        | {f"rate_{name}": (REAL, "1/min") for name in ("mean", "min", "max")}
        | {name: each for letter in "SVA" for name, each in {
            letter: (WHOLE, "beats"), f"{letter}_burden": (REAL, "1")}.items()}
        | {f"{letter}_{pattern}": (WHOLE, "episodes") for pattern in ("runs", "couplets") for letter in "SV"}
        | {"longest_V_run_beats": (WHOLE, "beats"), "pauses": (WHOLE, "episodes"), "longest_rr_s": (REAL, "s")}
        | {"longest_without_beat_s": (REAL, "s"), "af_minutes": (REAL, "min"), "judged": (REAL, "1")}
        | {"mean_nn_ms": (REAL, "ms"), "sdnn_ms": (REAL, "ms"), "rmssd_ms": (REAL, "ms"), "lf_hf": (REAL, "1")}
        | {"warnings": (TEXT, ""), "page": (TEXT, ""), "fingerprint": (TEXT, "")}
    ),
}  # fmt: skip
