"""The lines above the numbers of a CSV file: names and units of the columns, and the sampling rate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loaders.io.csv.cells import cells_of, kind_of
from loaders.io.recording import millivolts

UNIT_IN_NAME = re.compile(r"(.*?)\s*[\[(/]\s*([a-zµμA-Z]*[vV])\s*[\])]?")  # "MLII (mV)", "II [uV]", "V5/mV"
UNIT_ALONE = re.compile(r"[\[(]?\s*([a-zµμA-Z/%°]{1,12})\s*[\])]?")
UNITS = {"s", "sec", "seconds", "ms", "us", "ns", "mv", "uv", "nv", "v", "hz", "mmhg", "bpm", "g", "%", "adu", "a.u."}
RATE_KEYS = (  # in the languages that watches and loggers speak
    r"sampl\w*[ _-]*(?:rate|freq\w*)|(?:sampl\w*|data)?[ _-]*frequency|rate|fs|f_s|sfreq|abtast(?:rate|frequenz)|"
    r"fr[eé]quence d.[eé]chantillonnage|(?:frecuencia|tasa) de muestreo|frequenza di campionamento|"
    r"(?:taxa|frequ[eê]ncia) de amostragem|(?:meet|bemonsterings|sample)frequentie|частота дискретизации|"
    r"采样(?:率|频率)|サンプル(?:レート|周波数)|サンプリング周波数"
)
SAMPLING_RATE = re.compile(
    rf"^\W*(?:{RATE_KEYS})(?![^\W\d_])[^\d\n]{{0,24}}?"
    r"(\d+(?:[.,]\d+)?)\s*(k?hz|hertz|hercios|гц|赫兹|ヘルツ|sps|samples?\W*(?:/|per)\W*s\w*|1/s)?\W*$",
    re.IGNORECASE,
)
SAMPLING_INTERVAL = re.compile(
    r"^\W*(?:sampl\w*[ _-]*)?(?:interval|period)\b[^\d\n]{0,12}?(\d+(?:[.,]\d+)?(?:e-?\d+)?)\s*(s|sec|ms|us|µs)\W*$",
    re.IGNORECASE,
)
KEYED_UNIT = re.compile(r"^\W*units?\W+(\S+)\W*$", re.IGNORECASE)
KEYED_LEAD = re.compile(
    r"^\W*(?:lead|channel|ableitung|d[eé]rivation|derivaci[oó]n|derivazione|afleiding|deriva[cç][aã]o|отведение|导联|誘導)"
    r"(?:[ _]?(?:name|title|label)s?)?\W+(.{1,40}?)\W*$",
    re.IGNORECASE,
)
KEYED_TITLES = re.compile(r"(channel[ _]?)?(titles?|names?|labels?)\s*[=:]", re.IGNORECASE)  # LabChart's
KEYED_RANGES = re.compile(r"(range|units?)\s*[=:]", re.IGNORECASE)
PAIR = re.compile(r"\s*[;,\t:=]\s*")  # between a name and its value
PER_SECOND = {"s": 1.0, "sec": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6}


def names_and_units(
    heads: list[str], separator: str, kinds: Sequence[str], constants: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The name and the unit of each column: from the last lines before the numbers, or from lines "name, value".

    Args:
        constants: of each column of text the one thing that it holds, perhaps the unit of the numbers before it.
    """
    names, units = _single(heads, kinds) if len(kinds) == 1 else _several(heads, separator, kinds)
    for k, name in enumerate(names):
        if match := UNIT_IN_NAME.fullmatch(name):
            names[k], units[k] = match[1], match[2]
    keyed = [re.sub(r"[;,\t]+", " ", line) for line in heads]
    lead = next((match[1] for line in keyed if (match := KEYED_LEAD.match(line))), "")
    unit = next((match[1] for line in keyed if (match := KEYED_UNIT.match(line))), "")
    numeric = [k for k, kind in enumerate(kinds) if kind == "number"]
    if len(numeric) == 1 and not names[numeric[0]]:
        names[numeric[0]] = lead
    for k in numeric:
        behind = constants[k + 1] if k + 1 < len(constants) else ""  # "0.12 mV", cut at the blank
        units[k] = units[k] or unit or (behind if millivolts(behind) else "")
    names = [name if name and name not in names[:k] else f"{name or 'column'} {k + 1}" for k, name in enumerate(names)]
    return tuple(names), tuple(each if millivolts(each) or each.lower() in UNITS else "" for each in units)


def _single(heads: list[str], kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """The name and the unit of a single column; of lines "name, value" in any language, a unit is a value."""
    filled = [line for line in heads if line.strip()]
    if not filled:
        return [""], [""]
    rows = [line.strip().strip("#%'\" ") for line in filled]
    pairs = [pair for row in rows if len(pair := PAIR.split(row)) == 2 and all(pair)]
    unit = next((value for _, value in pairs if millivolts(value)), "")
    if _is_units([rows[-1]]) and millivolts(rows[-1]):  # alone in its line
        unit, rows = rows[-1], rows[:-1]
    last = rows[-1] if rows else ""
    quoted = cells_of(filled[-1], ",") if filled[-1].strip().startswith('"') else []
    if len(quoted) == 1 and len(rows) == len(filled):
        return quoted, [unit]  # a single cell, whatever stands in it
    return ["" if not last or PAIR.search(last) or _is_metadata([last]) else last], [unit]


def _several(heads: list[str], separator: str, kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names and units of several columns, from lines of as many cells; "" where there are none."""
    width = len(kinds)
    rows = [cells_of(re.sub(r"^\s*[#%]+", "", line), separator) for line in heads if line.strip()]
    shortest = width - (kinds[-1] == "empty")
    full = [(row + [""] * width)[:width] for row in rows if shortest <= len(row) <= width]
    titles = next((row for row in full if KEYED_TITLES.fullmatch(row[0])), None)
    ranges = next((row for row in full if KEYED_RANGES.fullmatch(row[0])), None)
    full = [row for row in full if not row[0].endswith("=")]
    names, units = [""] * width, [""] * width
    if full and _is_units(full[-1]):
        units = [match[1] if (match := UNIT_ALONE.fullmatch(cell)) else "" for cell in full.pop()]
    if ranges is not None:  # "10.000 mV"
        units = ["", *(cell.split()[-1] if cell else "" for cell in ranges[1:])]
    if titles is not None:
        names = ["", *titles[1:]]
    elif full and not _is_metadata(full[-1]):
        names = full[-1]
    return names, units


def _is_units(row: list[str]) -> bool:
    """Check whether the cells of a line are units: "(s)", "mV", or nothing."""
    filled = [match for cell in row if cell and (match := UNIT_ALONE.fullmatch(cell))]
    units = [match for match in filled if match[1].lower() in UNITS or millivolts(match[1])]
    bracketed = all(cell[0] in "([" for cell in row if cell)
    return len(units) == sum(1 for cell in row if cell) > 0 and (bracketed or len(row) > 1)


def _is_metadata(row: list[str]) -> bool:
    """Check whether a header line tells something of the recording rather than the columns' names."""
    if any(kind_of(cell, ".") == "number" for cell in row if cell) and len(row) <= 2:
        return True
    text = " ".join(row)
    return any(pattern.match(text) for pattern in (SAMPLING_RATE, SAMPLING_INTERVAL, KEYED_UNIT)) or (
        len(row) == 1 and (":" in text or "=" in text)
    )


def header_rate(heads: list[str]) -> float | None:
    """Samples per second as a header line gives them."""
    for head in heads:
        line = re.sub(r"[;\t\"]+|,(?!\d)|,(?=\d{3,})", " ", head)
        if match := SAMPLING_RATE.match(line):
            thousand = 1000 if (match[2] or "").lower() == "khz" else 1
            return float(match[1].replace(",", ".")) * thousand
        if match := SAMPLING_INTERVAL.match(line):
            interval = float(match[1].replace(",", "."))
            return PER_SECOND[match[2].lower()] / interval if interval > 0 else None
    return None
