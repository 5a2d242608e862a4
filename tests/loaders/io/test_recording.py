"""Which lead of a recording is annotated."""

from __future__ import annotations

from pathlib import Path

import pytest

from loaders.io.recording import Lead, Recording, choose_lead, folded, millivolts
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


def test_a_lead_that_was_asked_for_and_is_not_there_is_an_error() -> None:
    with pytest.raises(UserError, match=r"has no lead MLI, did you mean 'MLII'\? it has: MLII, V2"):
        choose_lead(Leads("MLII", "V2"), "MLI")
    with pytest.raises(UserError, match="20 samples per second"):
        choose_lead(Leads("MLII", fs=20), None)


def test_names_are_compared_by_what_they_say() -> None:
    assert {folded(name) for name in ("II", "ECG II", "Lead II", "ekg-ii", "II ECG")} == {"ii"}
    assert folded("ECG") == "ecg" and folded("ML-II") == "mlii"
