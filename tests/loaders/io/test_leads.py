"""Which lead of a recording is annotated."""

from __future__ import annotations

from pathlib import Path

import pytest

from loaders.io.leads import choose_lead, folded, kind_of, other_leads
from loaders.io.recording import Lead, Recording, millivolts
from toolbox.utils import UserError


class Leads(Recording):
    """A recording of nothing but leads."""

    def __init__(self, *names: str, unit: str = "mV", fs: float = 360.0) -> None:
        leads = [Lead(name, unit, millivolts(unit), fs) for name in names]
        super().__init__(Path("r.hea"), "r", "WFDB", leads, [])

    def stream(self, lead: int, size: int) -> None:  # type: ignore[override]
        raise NotImplementedError


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (("V5", "MLII"), None, 1),
        (("EEG", "ECG II", "ECG V5"), None, 1),
        (("Lead I", "Lead II"), None, 1),
        (("MLII", "V1"), "V1", 1),
        (("MLII", "V1"), "v1", 1),
        (("ECG I", "ECG aVR"), "aVR", 1),
    ],
)
def test_a_lead_is_found_by_its_name(names: tuple[str, ...], wanted: str | None, chosen: int) -> None:
    assert choose_lead(Leads(*names), wanted) == (chosen, "")


@pytest.mark.parametrize(
    ("names", "chosen"), [(("V5", "V2"), 0), (("RESP", "ABP", "V"), 2), (("EMG", "EKG1"), 1), (("1", "2"), 0)]
)
def test_without_the_trained_lead_the_first_of_an_ecg_is_taken_with_a_warning(
    names: tuple[str, ...], chosen: int
) -> None:
    position, warning = choose_lead(Leads(*names), None)
    assert position == chosen
    assert "no lead MLII" in warning and names[chosen] in warning and "--lead" in warning
    assert choose_lead(Leads(*names), None, any_lead=True) == (chosen, "")


def test_a_network_that_learned_any_lead_is_warned_for_where_names_tell_of_no_lead() -> None:
    expected = "no channel with the name of an ECG lead; took FECG of FECG, UC; --lead takes another"
    assert choose_lead(Leads("FECG", "UC"), None, any_lead=True) == (0, expected)
    assert choose_lead(Leads("belt"), None, any_lead=True) == (0, "")


def test_a_lead_that_was_asked_for_and_is_not_there_is_an_error() -> None:
    with pytest.raises(UserError, match=r"has no lead MLI, did you mean 'MLII'\? it has: MLII, V2"):
        choose_lead(Leads("MLII", "V2"), "MLI")
    with pytest.raises(UserError, match="20 samples per second"):
        choose_lead(Leads("MLII", fs=20), None)


def test_names_are_compared_by_what_they_say() -> None:
    assert {folded(name) for name in ("II", "ECG II", "Lead II", "ekg-ii", "II ECG")} == {"ii"}
    assert folded("ECG") == "ecg" and folded("ML-II") == "mlii"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "named",
            "MLII II I III V1 V5 aVR AVL MCL1 CM5 DII D3 MLIII V1R ECG-II LeadII ECG_I ecgI LL-RA AI ML5 MV2 CS3",
        ),
        ("named", "Lead_1 lead2 V4R -aVR II-ecg ECG_LA_RA Derivación_II"),
        ("ecg", "ECG EKG ECG1 ECG2 ecg_ch1 EKG1-EKG2 CH1_ECG Elektrokardiogramm ecg_raw EKG-Signal EcgWaveform ecg_mv"),
        (
            "ecg",
            "ECG(1) ECG.1 ecg_filtered Holter_1 electrocardiogram EKG-uV ecgData ECG_X Shimmer_ECG_LL-RA_24BIT_CAL",
        ),
        (
            "other",
            "ABP ART CVP RESP PLETH acc_x accY HR RR SpO2 Fp1-A2 C4-M1 O2 CO2 battery Pulse pressure AccX",
        ),
        (
            "other",
            "Chest NPRESS Snoring red IR green Red_LED E1-M2 E2 Leg Leg/L PLM P1 AOP LVP FHR UC TOCO CTG GyrX x-axis",
        ),
        (
            "other",
            "VBAT STI target lead_off LOD LO+ dZ/dt PTT NIRS speed altitude glucose VO2 SBP BIS force Atmung Puls",
        ),
        ("other", "ECG_quality ecg_sqi ECG_HR RR_ECG ECG_lead_off ecg_impedance ecg_peaks ECG_R-peaks ecg_label"),
        ("other", "ECG_annotation ECG_resp EDR ecg_acc_x ECG_timestamp ecg_time ecg_temp ECG_event ecg_battery ecg_rr"),
        ("unknown", "signal ch1 channel1 a val V2-V3 x"),
    ],
)
def test_channels_are_told_apart_by_their_names(kind: str, names: str) -> None:
    assert {name: kind_of(Lead(name, "mV", 1.0, 250.0)) for name in names.split()} == dict.fromkeys(names.split(), kind)


@pytest.mark.parametrize(
    ("name", "unit", "kind"),
    [
        ("ECG LA-RA", "uV", "named"),
        ("EEG ECG-Ref", "uV", "ecg"),
        ("EEG Fp1", "uV", "other"),
        ("POL EKG1", "uV", "ecg"),
        ("Lead 2", "mV", "named"),
        ("ECG 2", "mV", "ecg"),
        ("Channel 2", "mV", "unknown"),
        ("ECG HR", "bpm", "other"),
        ("P1", "mmHg", "other"),
        ("II", "mmHg", "other"),
        ("heart rate", "", "other"),
        ("Thorax effort", "mV", "other"),
        ("x", "g", "other"),
        ("temperature", "", "other"),
        ("RR interval", "ms", "other"),
        ("blood pressure", "mV", "other"),
        ("ECG derived respiration", "mV", "other"),
        ("chest lead V5", "mV", "named"),
        ("Limb lead II", "mV", "named"),
        ("Ableitung II", "mV", "named"),
        ("II", "lpm", "other"),
        ("x", "kg", "other"),
        ("x", "°", "other"),
    ],
)
def test_channels_are_told_apart_by_names_of_several_words_and_units(name: str, unit: str, kind: str) -> None:
    assert kind_of(Lead(name, unit, millivolts(unit), 250.0)) == kind


def test_several_channels_without_a_known_name_are_listed_and_none_is_taken() -> None:
    with pytest.raises(UserError, match=r"several channels may be the ECG .* \(ch1, ch2\); choose one by"):
        choose_lead(Leads("ch1", "ch2"), None)
    with pytest.raises(UserError, match=r"none of its channels is an ECG by name and unit \(ABP, RESP\)"):
        choose_lead(Leads("ABP", "RESP"), None)
    assert choose_lead(Leads("acc_x", "acc_y", "ch1"), None)[0] == 2
    assert choose_lead(Leads("ABP", "RESP"), "RESP") == (1, "")


def test_the_second_lead_of_a_network_is_one_of_the_ecg() -> None:
    assert other_leads(Leads("II", "ABP", "V"), 0, 2) == [0, 2]
    assert other_leads(Leads("II", "ABP"), 0, 2) == [0]


@pytest.mark.parametrize("fs", [20.0, 25_000.0])
def test_rates_that_no_ecg_has_are_refused(fs: float) -> None:
    with pytest.raises(UserError, match=rf"has {fs:g} samples per second; an ECG takes 50 to 20,000"):
        choose_lead(Leads("MLII", fs=fs), None)
