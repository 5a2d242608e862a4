"""Draw the two pages on the data: how many beats each class has, and what they look like, of MIT-BIH's 48 records.

python -m benchmarks.graphs --records-dir DIR [--out notebooks/graphs]

writes pie.html and signals.html. Each is one file that opens from disk, without network, and asks nobody for anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, make_parser, run_program
from loaders.io.wfdb_record import Record, list_records, read_wfdb
from loaders.sources.databases.mitdb import DS1, DS2
from toolbox.reports.html import load_template, script_digest
from toolbox.utils import UserError, atomic_write, progress
from toolbox.utils.aami import BEAT_SYMBOLS, CLASS_COLOURS, CLASS_LETTERS, CLASS_NAMES, DARK_COLOURS, DE_CHAZAL_CLASSES

PAGES = Path(__file__).parent / "graphs_pages"
LEAD = "MLII"  # of the beats that are drawn; 46 of the 48 records have it
BEFORE, AFTER = 0.35, 0.60  # s around the R peak that are drawn
STEP = 2  # of the 360 samples per second, so many apart are drawn
MOST = 10000  # beats of a class that its curves summarize
EXAMPLES = 8  # beats of a class that can be looked at one by one
PERCENTILES = (10, 25, 50, 75, 90)
MEANINGS = {
    "N": "the heart's own rhythm, bundle branch blocks, escape beats",
    "S": "supraventricular ectopic: too early, of nearly normal shape",
    "V": "ventricular ectopic: broad and oddly shaped",
    "F": "fusion of a normal and a ventricular beat",
    "Q": "paced beats, and those that nobody can classify",
}


def beats_of(record: Record) -> tuple[np.ndarray, np.ndarray]:
    """The samples (n,) and the symbols (n,) of a record's beats; a "?" was not judged and is none."""
    is_beat = np.isin(record.symbol, [*(BEAT_SYMBOLS - {"?"})])
    return record.sample[is_beat], record.symbol[is_beat]


def class_of(symbols: np.ndarray) -> np.ndarray:
    """(n,) the letters of symbols' classes; those in no class, as "n" and "B", are none: ""."""
    letters = {symbol: CLASS_LETTERS[number] for symbol, number in DE_CHAZAL_CLASSES.items()}
    return np.array([letters.get(symbol, "") for symbol in symbols.tolist()], dtype="<U1")


def windows(record: Record, sample: np.ndarray) -> np.ndarray:
    """(n, points) in mV: LEAD around each beat, less the window's median; NaN rows where the record has no LEAD or
    ends within the window."""
    before, after = round(BEFORE * record.fs), round(AFTER * record.fs)
    offsets = np.arange(-before, after + 1, STEP)
    cut = np.full((len(sample), len(offsets)), np.nan, dtype=np.float32)
    if LEAD in record.leads:
        lead = record.leads.index(LEAD)
        signal = ((record.digital[:, lead] - record.baseline[lead]) / record.gain[lead]).astype(np.float32)
        whole = (sample >= before) & (sample + after < len(signal))
        cut[whole] = signal[sample[whole, None] + offsets]
        cut[whole] -= np.median(cut[whole], axis=1, keepdims=True)
    return cut


def earliness(sample: np.ndarray) -> np.ndarray:
    """(n,) the interval before each beat as a share of the record's median interval; NaN for the first."""
    intervals = np.diff(sample, prepend=np.nan)
    return intervals / np.nanmedian(intervals)


def collect(folder: Path) -> tuple[dict[str, Counter[str]], dict[str, dict[str, np.ndarray]]]:
    """Count the beats of each record by symbol; and gather each class's windows (n, points), earliness (n,) and
    records (n,)."""
    names = [path.name for path in list_records(folder)]
    if missing := sorted({*DS1, *DS2} - {*names}):
        raise UserError(f"{folder} lacks records of the MIT-BIH Arrhythmia Database: {', '.join(missing)}")
    counts: dict[str, Counter[str]] = {}
    parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {letter: [] for letter in CLASS_LETTERS}
    for name in progress(names, "records"):
        record = read_wfdb(folder / name)
        sample, symbols = beats_of(record)
        letters = class_of(symbols)
        counts[name] = Counter(symbols[letters != ""].tolist())
        cut, early = windows(record, sample), earliness(sample)
        for letter, own in parts.items():
            mine = letters == letter
            own.append((cut[mine], early[mine], np.repeat(name, mine.sum())))
    gathered = {}
    for letter, own in parts.items():
        cut, early, record_names = map(np.concatenate, zip(*own, strict=True))
        gathered[letter] = {"windows": cut, "earliness": early, "records": record_names}
    return counts, gathered


def shares(counts: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """The numbers of pie.html: beats by symbol of all records, of DS1, of DS2 and of each record."""
    parts = {"all 48 records": tuple(counts), "DS1 (networks learn from it)": DS1, "DS2 (they are tested on it)": DS2}
    parts |= {f"record {name}": (name,) for name in counts}
    classes: dict[str, list[str]] = {letter: [] for letter in CLASS_LETTERS}
    for symbol, number in DE_CHAZAL_CLASSES.items():
        classes[CLASS_LETTERS[number]].append(symbol)
    return {
        "parts": {part: dict(sum((counts[name] for name in names), Counter())) for part, names in parts.items()},
        "classes": [
            {"letter": letter, "name": name, "symbols": classes[letter]}
            for letter, name in zip(CLASS_LETTERS, CLASS_NAMES, strict=True)
        ],
    }


def curves(gathered: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """The curves of signals.html, of each class: percentiles of the signal and of the interval before, and examples."""
    random = np.random.default_rng(0)
    classes = []
    for letter, name in zip(CLASS_LETTERS, CLASS_NAMES, strict=True):
        cut, early, records = (gathered[letter][key] for key in ("windows", "earliness", "records"))
        drawn = np.flatnonzero(np.isfinite(cut[:, 0]))
        chosen = random.permutation(drawn)[:MOST]
        examples = examples_of(records, drawn, random)
        classes.append({
            "letter": letter,
            "name": name,
            "meaning": MEANINGS[letter],
            "beats": len(cut),
            "bands": _rounded(np.percentile(cut[chosen], PERCENTILES, axis=0), 2),
            "early": _rounded(np.nanpercentile(early, PERCENTILES), 2),
            "examples": [{"record": str(records[k]), "mv": _rounded(cut[k], 2)} for k in examples],
        })  # fmt: skip
    fs = 360 / STEP
    return {"before": BEFORE, "fs": fs, "percentiles": PERCENTILES, "lead": LEAD, "classes": classes}


def examples_of(records: np.ndarray, drawn: np.ndarray, random: np.random.Generator) -> list[int]:
    """The places of EXAMPLES beats among those that can be `drawn`, each of another record as far as there are."""
    order = random.permutation(drawn)
    _, first = np.unique(records[order], return_index=True)
    of_each = order[random.permutation(first)]
    rest = np.setdiff1d(order, of_each)
    return [int(k) for k in np.concatenate([of_each, rest])[:EXAMPLES]]


def _rounded(values: np.ndarray, digits: int) -> list[Any]:
    rounded: list[Any] = (np.round(values.astype(float), digits) + 0.0).tolist()  # + 0.0: no "-0.0"
    return rounded


def page(name: str, data: Mapping[str, Any]) -> str:
    """The page `name`, "pie" or "signals", with its data inside."""
    script = (PAGES / f"{name}.js").read_text(encoding="utf-8")
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return load_template(PAGES / f"{name}.html").render(
        data=text, script=script, script_sha256=script_digest(script), colours=CLASS_COLOURS, dark=DARK_COLOURS
    )


def write_pages(folder: Path, out: Path) -> Sequence[Path]:
    """Write both pages of the records in `folder` into `out`."""
    counts, gathered = collect(folder)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in (("pie", shares(counts)), ("signals", curves(gathered))):
        written.append(out / f"{name}.html")
        with atomic_write(written[-1], "w") as handle:
            handle.write(page(name, data))
    return written


def main() -> None:
    """Read the flags and write the pages."""
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "notebooks" / "graphs", help="folder of the pages")
    args = parser.parse_args()
    for path in write_pages(args.records_dir, args.out):
        print(f"written {path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    run_program(main)
