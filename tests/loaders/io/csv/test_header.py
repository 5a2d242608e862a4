"""Lines above the numbers: names, units and rates in the ways that devices write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.loaders.io.csv.written import FS, assert_reads, beats, cells, lines, opened, read
from toolbox.utils import UserError

SIGNAL = beats()
SECONDS = cells(np.arange(len(SIGNAL)) / FS, 3)
MICROVOLTS = cells(1000 * SIGNAL, 1)


def watch(rate: str, unit: str, lead: str, separator: str, point: str = ".") -> str:
    """An export of a watch: names and values, and the samples in microvolts."""
    pairs = [("Name", "A B"), ("Date of Birth", '"Jan 1, 1970"'), ("Device", '"Watch3,4"'), tuple(rate.split("|"))]
    head = [separator.join(pair) for pair in pairs] + [""]
    head += [lead.replace("|", separator), unit.replace("|", separator), ""]
    return "\n".join([*head, *(value.replace(".", point) for value in MICROVOLTS)]) + "\n"


@pytest.mark.parametrize(
    ("rate", "unit", "lead", "separator", "point"),
    [
        ("Sample Rate|250 hertz", "Unit|µV", "Lead|Lead I", ",", "."),
        ("Sample Rate|250 Hz", "Unit|microvolts", "Lead|Lead I", "\t", "."),
        ("Abtastrate|250 Hertz", "Einheit|µV", "Ableitung|Ableitung I", ";", ","),
        ("Fréquence d’échantillonnage|250 Hz", "Unité|µV", "Dérivation|Dérivation I", ";", ","),
        ("Frecuencia de muestreo|250 hercios", "Unidad|µV", "Derivación|I", ",", "."),
        ("Frequenza di campionamento|250 hertz", "Unità|µV", "Derivazione|I", ",", "."),
        ("Taxa de amostragem|250 hertz", "Unidade|µV", "Derivação|I", ",", "."),
        ("Meetfrequentie|250 hertz", "Eenheid|µV", "Afleiding|I", ",", "."),
        ("Частота дискретизации|250 Гц", "Единица|мкВ", "Отведение|I", ";", ","),
        ("采样率|250赫兹", "单位|微伏", "导联|I", ",", "."),
        ("サンプルレート|250ヘルツ", "単位|µV", "誘導|I", ",", "."),
    ],
    ids="english tab german french spanish italian portuguese dutch russian chinese japanese".split(),
)
def test_a_watch_in_any_language(
    tmp_path: Path, rate: str, unit: str, lead: str, separator: str, point: str
) -> None:  # fmt: skip
    recording = opened(tmp_path, watch(rate, unit, lead, separator, point))
    assert_reads(recording, SIGNAL)
    assert recording.leads[0].name.endswith("I") and "A B" not in recording.leads[0].name


def test_a_watch_whose_lines_end_with_the_separator(tmp_path: Path) -> None:
    text = watch("Sample Rate|250 hertz", "Unit|µV", "Lead|Lead I", ",").replace("\n", ",\n")
    assert_reads(opened(tmp_path, text), SIGNAL, name="Lead I")


def test_a_key_in_an_unknown_language_gives_no_rate_but_the_unit(tmp_path: Path) -> None:
    text = watch("Näytteenottotaajuus|250 Hz", "Yksikkö|µV", "Kytkentä|I", ";", ",")
    with pytest.raises(UserError, match="give it by --fs"):
        opened(tmp_path, text)
    assert_reads(opened(tmp_path, text, FS), SIGNAL)


LINES = (
    "Age,54|Patient ID,1234|2024,3,26|v1.2|250|10000|2|Gain,200|Gain: 200 adu/mV|Range: 10 mV|Filter: 0.5 - 40 Hz|"
    "Notch filter: 50 Hz|4 msec/sample|2 channels|-----|# 1|Recording of 12 minutes|Battery: 98 %|Heart rate,72||,|"
    "Muster, Max|1,2,3,4,5|a,b,c,d"
).split("|")


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("above", ["", "250\n", "Patient ID,1234\n"])
def test_lines_of_metadata_are_no_samples(tmp_path: Path, line: str, above: str) -> None:
    assert_reads(opened(tmp_path, f"{above}{line}\nECG\n" + lines(cells(SIGNAL)), FS), SIGNAL)
    assert_reads(opened(tmp_path, f"{above}{line}\ntime,ECG\n" + lines(SECONDS, cells(SIGNAL))), SIGNAL, name="ECG")


@pytest.mark.parametrize("count", [30, 150, 400])
def test_a_long_header_is_passed_over(tmp_path: Path, count: int) -> None:
    keys = "".join(f"Key{k}: {k}\n" for k in range(count))
    assert_reads(opened(tmp_path, f"{keys}time,ECG\n" + lines(SECONDS, cells(SIGNAL))), SIGNAL, name="ECG")


def test_names_and_units_of_labchart(tmp_path: Path) -> None:
    head = (
        "Interval=\t0.004 s\nExcelDateTime=\t4.5377e4\t26.03.2024 17:30:49.000000\nTimeFormat=\tStartOfBlock\n"
        "DateFormat=\t\nChannelTitle=\tECG\tResp\nRange=\t1000 uV\t2.000 V\n"
    )
    recording = opened(tmp_path, head + lines(SECONDS, MICROVOLTS, cells(SIGNAL), separator="\t"))
    assert_reads(recording, SIGNAL, name="ECG")
    assert [(lead.name, lead.unit) for lead in recording.leads] == [("ECG", "uV"), ("Resp", "V")]


@pytest.mark.parametrize("unit", ["uV", "µV", "mV"])
def test_a_unit_behind_each_number(tmp_path: Path, unit: str) -> None:
    values = cells(SIGNAL) if unit == "mV" else MICROVOLTS
    assert_reads(opened(tmp_path, lines([f"{value} {unit}" for value in values]), FS), SIGNAL)


@pytest.mark.parametrize("head", ["0", "1", "12", "250"])
def test_a_number_over_a_column_of_fractions_is_its_header(tmp_path: Path, head: str) -> None:
    assert_reads(opened(tmp_path, f"{head}\n" + lines(cells(SIGNAL)), FS), SIGNAL)


@pytest.mark.parametrize("head", ["0,1", "1,2", ",0", ",II", "Unnamed: 0,II"])
def test_numbers_of_data_frame_libraries_are_headers(tmp_path: Path, head: str) -> None:
    first = [str(k) for k in range(len(SIGNAL))] if head[0] in ",U" else SECONDS
    recording = opened(tmp_path, f"{head}\n" + lines(first, cells(SIGNAL)), FS)
    assert_reads(recording, SIGNAL)


def test_a_lead_that_begins_late_is_one(tmp_path: Path) -> None:
    late = np.where(np.arange(len(SIGNAL)) < 500, np.nan, SIGNAL)
    recording = opened(tmp_path, "time,II,V1\n" + lines(SECONDS, cells(late), cells(SIGNAL)))
    assert_reads(recording, late, name="II")
    assert np.isnan(read(recording)[2][:500]).all()
