"""Ages and sexes of headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from loaders.io.subject import Subject, read_subject, subject_of

HEADER = "r1 1 360 10\nr1.dat 16 200 16 0 0 0 0 MLII\n"


@pytest.mark.parametrize(
    ("comments", "subject"),
    [
        (["69 M 1085 1629 x1", "Aldomet, Inderal"], Subject(69, "M")),
        (["-1 M 742 654 x1"], Subject(None, "M")),
        (["Age: 62  Sex: F"], Subject(62, "F")),
        (["<age>: 65 <sex>: F <diagnoses> Coronary artery disease", "patient 1"], Subject(65, "F")),
        (["Sex: m"], Subject(None, "M")),
        (["69 Mobitz"], Subject()),
        (["age: 999"], Subject()),
        (["Aldomet"], Subject()),
        ([], Subject()),
    ],
)
def test_ages_and_sexes(comments: list[str], subject: Subject) -> None:
    assert subject_of(comments) == subject


def test_headers(tmp_path: Path) -> None:
    (tmp_path / "r1.hea").write_text(f"{HEADER}# 76 F 2777 3655 x2\n", encoding="utf-8")
    assert read_subject(tmp_path / "r1") == Subject(76, "F")
    assert read_subject(tmp_path / "r2") == read_subject(None) == Subject()
