"""`--test` scores men and women apart where the headers of the records tell their patients' sex."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import commander
from toolbox.metrics.patients import DE_CHAZAL

SYNTHETIC = ["--dataset", "synthetic", "--synthetic-patients", "8", "--synthetic-minutes", "3"]


def test_the_headers_of_the_test_records_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learned, held = tmp_path / "learned", tmp_path / "held"
    root = ["--root-dir", str(tmp_path / "root")]
    commander.main(["--prepare", *SYNTHETIC, *root, "--write-records", str(learned)])
    held.mkdir()
    headers = sorted(learned.glob("*.hea"))
    for number, header in enumerate(headers[4:]):
        header.write_text(f"{header.read_text()}# Age: {60 + 2 * number}  Sex: {'MF'[number % 2]}\n")
        for file in learned.glob(f"{header.stem}.*"):
            shutil.move(file, held / file.name)
    flags = ["--train-on", str(learned), "--test-on", str(held), *root, "--model-name", "cnn1d_3"]
    commander.main([*flags, "--epochs", "1", "--lr", "0.005"])
    capsys.readouterr()
    groups = commander.main([*root, "--test"])["patients"]
    printed = capsys.readouterr().out.splitlines()
    names = {
        name: [record.rpartition("/")[2] for record in each["records"]] for name, each in groups["subgroups"].items()
    }
    held_names = [header.stem for header in headers[4:]]
    assert names == {
        "women": held_names[1::2], "men": held_names[::2], "below 65": held_names[:3], "65 or above": held_names[3:],
    }  # fmt: skip
    beats = [sum(map(sum, groups["subgroups"][name]["confusion"])) for name in ("women", "men")]
    assert sum(beats) == sum(map(sum, groups["maps"][DE_CHAZAL]["confusion"]))
    row = next(line.split() for line in printed if line.startswith("women "))
    assert row[1:3] == ["2", str(beats[0])]
    assert (
        max(
            map(
                len,
                printed[
                    1 : printed.index("as the records' headers say; in brackets 95 % over the patients of a group")
                ],
            )
        )
        <= 79
    )
