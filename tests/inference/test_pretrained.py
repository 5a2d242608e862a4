"""The networks that come with the program: their files, and which of them reads a recording."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas as pd
import pytest

import commander
from args import parse_args
from commands.predict import default_network
from commands.pretrained import pretrained_file as start_file
from inference import Stream, annotate, load_classifier, pretrained
from inference.classifier import training_limits
from inference.onnx_classifier import OnnxClassifier
from inference.options import PRETRAINED
from inference.pretrained import CHECKPOINT, FACTS, FOLDER, ONNX, SUMS
from inference.torch_classifier import TorchClassifier
from tests.conftest import ROOT, SMALL
from tests.made import FORBID_TORCH, GAIN, small_record, write_format
from toolbox.runs.checkpoint import load_checkpoint
from toolbox.utils import UserError, read_json, sha256_of

FS = 360
LEADS_READ = {"two-lead": 2, "one-lead": 1, "live": 1}


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """(samples, 2) mV of 90 s, leads MLII and V1."""
    return small_record().digital / GAIN


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording as WFDB record, EDF and CSV of two leads, and CSV of one."""
    folder, digital = tmp_path_factory.mktemp("recordings"), small_record().digital
    write_format(folder, "record", digital, "16")
    pd.DataFrame(digital / GAIN, columns=["MLII", "V1"]).to_csv(folder / "table.csv", index=False)
    pd.DataFrame(digital[:, :1] / GAIN, columns=["ecg"]).to_csv(folder / "belt.csv", index=False)
    whole = digital[: len(digital) // FS * FS].astype(np.int16)
    edge = 32768 / GAIN * 1000  # uV
    signals = [
        edfio.EdfSignal.from_digital(
            whole[:, k].copy(), FS, physical_range=(-edge, edge * 32767 / 32768), digital_range=(-32768, 32767),
            label=f"ECG {lead}", physical_dimension="uV",
        )
        for k, lead in enumerate(("MLII", "V1"))
    ]  # fmt: skip
    edfio.Edf(signals).write(folder / "night.edf")
    return folder


# the files


def seed_0_of(results: dict[str, Any]) -> list[list[str]]:
    """The scores of V and of S, as cards write them, of the first network in each table of benchmarks.new_patients."""
    first = [
        part[0]["EC57 gross"] for one in results["tables"].values() for key, part in one.items() if key != "records"
    ]
    names = [("VEB Se", "VEB +P"), ("SVEB Se", "SVEB +P")]
    return [[" / ".join(per_cent(scores[name]) for name in pair) for pair in names] for scores in first]


def per_cent(score: float | None) -> str:
    return "–" if score is None else f"{100 * score:.1f}"


def test_every_network_has_two_small_files_a_card_and_its_facts() -> None:
    sums = dict(reversed(line.split("  ")) for line in (FOLDER / SUMS).read_text().splitlines())
    assert sums.keys() == {f"{name}{kind}" for name in PRETRAINED for kind in (CHECKPOINT, ONNX)}
    for file, digest in sums.items():
        assert sha256_of(FOLDER / file) == digest and (FOLDER / file).stat().st_size < 100_000
    facts = read_json(FOLDER / FACTS)
    for name in PRETRAINED:
        card = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        assert sums[f"{name}{ONNX}"] in card and facts[name]["command"] in card and "no medical device" in card
        assert facts[name]["leads"] == LEADS_READ[name]
        for figure in facts[name]["figures"]:
            kept = read_json((FOLDER / figure["from"].partition("(")[2].rstrip(")")).resolve())
            assert "tables" not in kept or figure["scores"] in seed_0_of(kept), figure


def test_no_file_names_a_folder_of_the_machine_that_trained() -> None:
    for path in FOLDER.iterdir():
        content = path.read_bytes()
        assert not any(part in content for part in (b"/work", b"/home", b"/root", b"/tmp", b"Users")), path


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_onnx_file_says_what_the_checkpoint_says(name: str) -> None:
    by_torch, by_onnx = load_classifier(name), load_classifier(name, engine="onnx")
    assert isinstance(by_torch, TorchClassifier) and isinstance(by_onnx, OnnxClassifier)
    spec = by_torch.input_spec
    assert spec is not None and spec == by_onnx.input_spec and spec.leads == LEADS_READ[name]
    shape, random = spec.shape(), np.random.default_rng(0)
    rows = random.normal(size=(50, shape["in_channels"], shape["length"])).astype(np.float32)
    features = random.normal(size=(50, shape["features"])).astype(np.float32)
    probabilities = [one.probabilities(rows, features) for one in (by_torch, by_onnx)]
    assert np.allclose(*probabilities, atol=1e-5) and by_torch.class_names == by_onnx.class_names
    assert by_torch.name == by_onnx.name == f"{name} (pretrained)"
    assert training_limits(by_torch) == training_limits(by_onnx) != ""


def test_a_network_of_streams_can_be_streamed() -> None:
    spec = load_classifier("live").input_spec
    assert spec is not None
    spec.check_live("live")


@pytest.mark.parametrize("kind", [CHECKPOINT, ONNX])
@pytest.mark.parametrize("damage", ["changed", "cut off", "missing", "no list"])
def test_a_damaged_file_is_one_line(
    kind: str, damage: str, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "pretrained")
    file = folder / f"two-lead{kind}"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "missing":
        file.unlink()
    elif damage == "no list":
        (folder / SUMS).unlink()
    else:
        file.write_bytes(content if damage == "changed" else content[:1000])
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    engine = "torch" if kind == CHECKPOINT else "onnx"
    flags = ["--predict", str(recordings / "record"), "--out", str(tmp_path / "out"), "--engine", engine]
    monkeypatch.setattr("sys.argv", ["commander.py", *flags])
    assert commander.cli() == 2 and not (tmp_path / "out").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "two-lead" in line and "take it from the project anew" in line
    assert ("its SHA-256 is not that of SHA256SUMS.txt" in line) == (damage in ("changed", "cut off"))


# which of them


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "two-lead"),
        ("--live", "live"),
        ("--engine onnx --out x --lead V1 --device cpu -j 2 --png", "two-lead"),
        ("--model-file one-lead", ""),
        ("--model-file file.onnx", ""),
        ("--model-name mlp", ""),
        ("--dataset ecg", ""),
        ("--split interpatient", ""),
        ("--config live", ""),
        ("--resume best", ""),
        ("--version latest", ""),
        ("--root-dir elsewhere", ""),
    ],
)
def test_a_run_is_taken_when_a_flag_names_one(words: str, expected: str) -> None:
    assert default_network(parse_args(["--predict", "x", *words.split()])) == expected


def test_lines_are_read_by_the_network_of_streams() -> None:
    assert default_network(parse_args(["--predict", "-", "--fs", "250"])) == "live"


def columns(signal: np.ndarray, kinds: str) -> np.ndarray:
    """A signal with a column for each letter: the (m)ain lead, the (o)ther, (n)oise, a lead that is o(f)f."""
    noise = np.random.default_rng(0).normal(0, 1, len(signal))
    by_letter = {"m": signal[:, 0], "o": signal[:, 1], "n": noise, "f": np.full(len(signal), 0.1)}
    return np.stack([by_letter[letter] for letter in kinds], axis=1)


TWELVE = ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{k}" for k in range(1, 7))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kinds", "names", "network"),
    [
        ("m", ["MLII"], "one-lead"),
        ("m", ["ecg"], "one-lead"),
        ("m", None, "one-lead"),
        ("mo", ["MLII", "V1"], "two-lead"),
        ("om", ["V5", "II"], "two-lead"),
        ("mo", ["ECG1", "ECG2"], "two-lead"),
        ("mo", None, "two-lead"),
        ("mom", ["MLII", "V1", "V5"], "two-lead"),
        ("om" * 6, TWELVE, "two-lead"),
        ("mn", None, "one-lead"),
        ("mo", ["MLII", "RESP"], "one-lead"),
        ("mn", ["MLII", "V1"], "one-lead"),
        ("mf", ["MLII", "V1"], "one-lead"),
    ],
)
def test_the_network_that_fits_the_leads(signal: np.ndarray, kinds: str, names: list[str] | None, network: str) -> None:
    table = annotate(columns(signal, kinds), FS, leads=names)
    assert table.attrs["classifier"] == f"{network} (pretrained)" and len(table) > 60
    assert table.attrs["limits"].startswith(f"Network {network}, trained on ")
    alone = annotate(columns(signal, kinds), FS, network, leads=names)
    assert alone.attrs["classifier"] == f"{network} (pretrained)" and alone["class"].equals(table["class"])


def test_a_network_that_was_named_is_taken_and_the_lack_of_leads_is_said(signal: np.ndarray) -> None:
    with pytest.warns(UserWarning, match=r"a lead stands in for another, .* --model-file one-lead does better"):
        table = annotate(signal[:, :1], FS, "two-lead", leads=["MLII"])
    assert table.attrs["classifier"] == "two-lead (pretrained)"


# the command, the API and the stream


def predict(capsys: Any, *words: str | Path) -> tuple[dict[str, Any], str]:
    """The result of --predict, and what it said on stderr."""
    result = commander.main(["--predict", *map(str, words)])
    return result, capsys.readouterr().err


def test_the_command_and_the_api_say_the_same(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [recordings / name for name in ("record", "night.edf", "table.csv", "belt.csv")]
    result, said = predict(capsys, *files, "--fs", "360", "--out", "out")
    lines = said.splitlines()
    assert lines[0].startswith("note: network two-lead (one-lead for a single lead) of pretrained/, trained on ")
    assert lines[0].endswith("--model-file takes another network") and "own" not in said and "runs in" not in said
    assert "22 recordings of MIT-BIH and 39 of its Supraventricular Arrhythmia Database" in lines[0]
    assert "MLII" not in said, "belt.csv shows a lead without a name, and these networks learned any"
    expected = ["two-lead", "two-lead", "two-lead", "one-lead"]
    for file, summary, name in zip(files, result["recordings"].values(), expected, strict=True):
        model = summary["model"]
        assert (model["name"], model["pretrained"]) == (f"{name} (pretrained)", name)
        assert model["chosen"] == (
            "the recording shows 2 leads" if name == "two-lead" else "the recording has only 1 ECG lead"
        )
        assert model["limits"] == training_limits(load_classifier(name)) and model["limits"] not in summary["warnings"]
        page = Path(summary["page"]).read_text(encoding="utf-8")
        assert page.index(f"Network {name}, trained on") < page.index("<section>")
        written = pd.read_csv(summary["page"].replace(".html", ".csv"), comment="#")
        beats = annotate(file, FS if file.suffix == ".csv" else None)
        assert beats["class"].tolist() == written["class"].tolist() and len(beats) > 60
        assert beats["sample"].tolist() == written["sample"].tolist()
        assert np.allclose(beats.filter(like="p_"), written.filter(like="p_"), atol=1e-4)


def test_a_signal_in_memory_and_a_stream(
    recordings: Path, signal: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    file = annotate(recordings / "record")
    pd.testing.assert_frame_equal(annotate(signal, FS), file, check_exact=False, atol=1e-3)
    header = write_format(tmp_path, "short", small_record().digital[: 30 * FS], "16")
    lead, stream = signal[: 30 * FS, 0], Stream(fs=FS)
    beats = [*stream.push(lead), *stream.finish()]
    assert stream.classifier.name == "live (pretrained)"
    result, said = predict(capsys, header, "--live", "--out", "live")
    (summary,) = result["recordings"].values()
    assert summary["model"]["name"] == "live (pretrained)" and said.startswith("note: network live of pretrained/")
    live = pd.read_csv("live/short.ecg.csv", comment="#")
    assert live["sample"].tolist() == [beat.sample for beat in beats]
    assert live["class"].tolist() == [beat.letter for beat in beats]
    named = Stream("live", FS)
    assert [beat.letter for beat in (*named.push(lead), *named.finish())] == [beat.letter for beat in beats]
    with pytest.raises(UserError, match="fs is missing"):
        Stream()


@pytest.mark.parametrize("name", PRETRAINED)
def test_one_is_named_by_model_file(
    name: str, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    result, said = predict(capsys, recordings / "record", "--model-file", name, "--out", "out")
    (summary,) = result["recordings"].values()
    assert summary["model"]["name"] == f"{name} (pretrained)" and "takes another" not in said
    assert summary["leads_read"] == LEADS_READ[name] and summary["warnings"] == []


def test_runs_that_no_flag_names_are_pointed_out(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    run = commander.main("--dataset synthetic --model-name cnn1d_3 --epochs 1".split() + SMALL)["run"]
    name = Path(run).name
    capsys.readouterr()
    result, said = predict(capsys, recordings / "record", "--out", "a")
    assert next(iter(result["recordings"].values()))["model"]["pretrained"] == "two-lead"
    assert f"note: no flag names one of the 1 runs in ecg_data: --resume best takes {name}\n" in said
    result, said = predict(capsys, recordings / "record", "--resume", "best", "--out", "b")
    (summary,) = result["recordings"].values()
    assert summary["model"]["name"] == f"cnn1d_3, epoch 1 of {name}" and summary["model"]["pretrained"] == ""
    assert "pretrained/" not in said


def test_without_a_run_where_flags_name_one(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match="train one first; without flags of a run, a network that comes with the program"
    ):
        commander.main(["--predict", str(recordings / "record"), "--model-name", "mlp"])


PROGRAM = f"""{FORBID_TORCH}
import commander
from inference import Stream, annotate

sys.argv[1:], network = sys.argv[2:], annotate(sys.argv[1], 360).attrs["classifier"]
code = commander.cli()
print(code, network, Stream(fs=250).classifier.name, "torch" in sys.modules)
"""


@pytest.mark.parametrize("file", ["record", "night.edf", "table.csv"])
def test_a_fresh_clone_annotates_without_torch(file: str, recordings: Path, tmp_path: Path) -> None:
    flags = ["--predict", str(recordings / file), "--out", str(tmp_path / "out"), *(["--fs", "360"] * ("." in file))]
    table = [str(recordings / "table.csv"), *flags]
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *table],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    first, last = answer.stdout.splitlines()
    assert last == "0 two-lead (pretrained) live (pretrained) False", answer.stderr
    stem = Path(file).stem
    assert first.startswith(f"{stem}: leads ") and " and " in first and " by two-lead, " in first
    summary = json.loads((tmp_path / "out" / f"{stem}.ecg.json").read_text())
    assert summary["model"]["pretrained"] == "two-lead" and summary["beats"]["all"] > 60
    assert (tmp_path / "out" / f"{stem}.ecg.html").is_file()
    assert "note: network two-lead" in answer.stderr and "error" not in answer.stderr


# fine-tuning


def test_fine_tuning_starts_from_its_weights_and_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from tests.loaders.annotated_records import person, write

    for number in (0, 1, 2, 4):
        write(person(number), tmp_path / "mine", f"p{number}")
    monkeypatch.chdir(tmp_path)
    flags = "--pretrained two-lead --train-on mine --fold 1/4 --epochs 1 --lr 1e-9 --ema 0 --spliced none".split()
    run = Path(commander.main([*flags, "--optimizer", "sgd", "--momentum", "0"])["run"])
    assert f"note: as {FOLDER / 'two-lead'}{CHECKPOINT}: " in capsys.readouterr().err
    options, state = read_json(run / "config.json")["options"], load_checkpoint(run / "checkpoint.pth.tar")
    source = load_checkpoint(FOLDER / f"two-lead{CHECKPOINT}")
    own = source["log"]["options"]
    assert options["pretrained"] == "two-lead"
    assert {key: options[key] for key in ("model_name", "context", "leads", "features", "window_rate")} == {
        key: own[key] for key in ("model_name", "context", "leads", "features", "window_rate")
    }
    assert np.allclose(state["model"]["fc1.weight"], source["model"]["fc1.weight"], atol=1e-6)


def test_what_is_no_start_names_the_networks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="runs: none yet; networks: two-lead, one-lead, live"):
        start_file("three-lead", str(tmp_path))
