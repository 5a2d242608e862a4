"""The command line from end to end, on small synthetic data."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import commander
from commands import build as session
from models import MODELS
from tests.conftest import RECORDS, ROOT, SMALL, needs_records
from toolbox.losses import CRITERIA
from toolbox.optimizers import OPTIMIZERS
from toolbox.reports.scored_beats import read_scored_beats
from toolbox.schedulers import SCHEDULERS
from toolbox.utils import UserError, read_json, sha256_of
from toolbox.utils.aami import NUM_CLASSES

TIMES = {"seconds", "date_and_time"}


def run(root, *argv):
    """main() with `argv` in `root`."""
    return commander.main([*argv, "--root-dir", str(root), *SMALL])


def train(root, *argv, model="cnn1d_3", dataset="synthetic"):
    """A small training."""
    return run(root, "--dataset", dataset, "--model-name", model, *argv)


def weights(path):
    """The state_dict in a checkpoint."""
    return torch.load(path, weights_only=True)["model"]


def without_times(value):
    """A JSON value without what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in TIMES}
    return [without_times(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("dataset", ["ecg", "ecg_bin", "synthetic"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_resumes_and_tests(root, model, dataset, monkeypatch):
    monkeypatch.setattr(session, "TRIAL_BATCHES", 2)
    first = train(root, "--short-run", "--epochs", "1", model=model, dataset=dataset)
    flags = ["--dataset", dataset, "--model-name", model, "--version", "1"]
    second = run(root, *flags, "--resume", "latest", "--epochs", "2")
    assert second["run"] == first["run"] and second["epoch"] == 2
    tested = run(root, *flags, "--test", "--resume", "best")
    assert tested["run"] == first["run"] and tested["epoch"] == second["best"]["epoch"]
    assert np.array(tested["test"]["confusion"]).shape == (NUM_CLASSES[dataset],) * 2
    assert 0 < tested["test"]["acc1"] <= 1


WEIGHED = [name for name in CRITERIA if name not in ("mse", "l1", "logitadjusted")]
CHOICES = [
    *(["--criterion", name] for name in CRITERIA),
    *(["--optimizer", name, "--weight-decay", "0.01"] for name in OPTIMIZERS),
    *(["--scheduler", name] for name in SCHEDULERS),
    *(["--sampler", kind] for kind in ("equal", "importance")),
    *(["--class-balance", kind, "--criterion", name] for kind in ("equal", "importance") for name in WEIGHED),
    ["--model-name", "resnet1d_lean", "--progressive", "100", "--augment", "light"],
    ["--accumulate", "2", "--clip-grad", "1"],
    ["--augment", "strong", "--mixup", "0.2"],
    ["--class-balance", "effective", "--effective-beta", "0.99"],
    ["--sampler", "effective"],
    ["--split", "kfold", "--fold", "1/2", "--criterion", "logitadjusted", "--logit-tau", "0.5"],
    ["--context", "window", "--leads", "2", "--scale", "window", "--window-rate", "100", "--highpass", "0"],
    ["--split", "kfold", "--fold", "1/2", "--model-name", "resnet1d_fusion", "--features", "rr", "shape", "--context",
     "window", "--augment", "stretch:0.2+shift+droplead+droprr:0.5", "--mixup", "1"],
    ["--model-name", "resnet1d_gru", "--features", "rr_past", "--neighbours", "2", "-j", "1"],
    ["--split", "kfold", "--fold", "1/2", "--context", "window", "--baseline", "median", "--leads", "2", "--model-name",
     "mlp", "--features", "tempo", "qrs", "pwave", "--sampler", "patients", "--spliced", "block:1",
     "--augment", "tempo", "--criterion", "logitadjusted", "--validate-on", "train", "--monitor", "last"],
    ["--ema", "0"],
    ["--precision", "bf16"],
    *(["--model-name", name, "--masking"] for name in ("lstm_seq", "gru_seq")),
]  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_every_choice_runs(tmp_path, choice, monkeypatch):
    monkeypatch.setattr(session, "TRIAL_BATCHES", 2)
    result = train(tmp_path, "--short-run", "--epochs", "2", *choice)
    logged = json.loads((tmp_path / result["run"] / "logger.json").read_text())["logged"]
    assert [entry["epoch"] for entry in logged["train"]] == [1, 2]
    assert all(np.isfinite(entry["loss"]) for entry in logged["train"] + logged["val"])


@pytest.mark.parametrize("choice", ["mse", "l1"])
def test_class_weights_are_refused_where_they_mean_nothing(tmp_path, choice):
    with pytest.raises(UserError, match="--class-balance has no meaning for --criterion"):
        train(tmp_path, "--criterion", choice, "--class-balance", "equal")
    assert not (tmp_path / "synthetic" / "runs").exists()


@pytest.mark.draws
def test_a_run_leaves_what_the_contract_says(tmp_path):
    result = train(tmp_path, "--epochs", "5", "--lr", "0.002", "--tensorboard")
    folder = tmp_path / "synthetic" / "runs" / "synthetic_cnn1d_3_opadam_StepLR_lr0.002_nll_bs128_1"
    assert result["run"] == str(folder)
    run(tmp_path, "--test", "--resume", "best")
    n = result["best"]["epoch"]
    expected = {
        "config.json", "logger.json", "report.html", "checkpoint.pth.tar", "model_best.pth.tar",
        "checkpoint_epoch5.pth.tar", "checkpoint_prev.pth.tar", ".lock", ".lock.json",
        "pics/loss.png", "pics/accuracy.png", "pics/learning_rate.png",
        f"pred/test_results_ep{n}.json", f"pred/test_results_list_ep{n}.json", f"pred/test_beats_ep{n}.npz",
        f"pred/cm_ep{n}.png", f"pred/norm_cm_ep{n}.png", f"pred/roc_ep{n}.png", f"pred/reliability_ep{n}.png",
        f"pred/scores_ep{n}.json", f"pred/scores_ep{n}.csv", f"pred/scores_ep{n}.tex",
        f"pred/test_wrong_ep{n}.json", f"res/val_wrong_ep{n}.json", f"res/val_beats_ep{n}.npz",
        *(f"res/val_results_list_ep{k}.json" for k in range(1, 6)),
    }  # fmt: skip
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith("tensorboard/")} == expected
    beats, listed = (
        read_scored_beats(folder, n),
        json.loads((folder / f"pred/test_results_list_ep{n}.json").read_text()),
    )
    assert {str(k): [int(a), int(b)] for k, a, b in zip(beats.ids, beats.called, beats.labels, strict=True)} == listed
    pictures = [name for name in found if name.endswith(".png")]
    assert len(pictures) == 7 and all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert any(name.startswith("tensorboard/events.out.tfevents") for name in found)
    config = json.loads((folder / "config.json").read_text())
    assert config["options"]["lr"] == 0.002 and config["versions"]["torch"] == torch.__version__
    assert config["data"]["fingerprint"] and config["options"]["seed"] == 42
    log = json.loads((folder / "logger.json").read_text())
    assert set(log) == {"name", "date_and_time", "options", "info", "logged"}
    assert set(log["logged"]) == {"train", "val", "hyperparams"}
    results = json.loads((folder / "res" / "val_results_list_ep5.json").read_text())
    assert len(results) == sum(map(sum, log["logged"]["val"][-1]["confusion"]))
    right = np.mean([call == label for call, label in results.values()])
    assert right == pytest.approx(log["logged"]["val"][-1]["acc1"])
    best = max(log["logged"]["val"], key=lambda entry: entry["macro_f1"])
    assert result["best"] == {"epoch": best["epoch"], "monitor": "macro_f1", "score": best["macro_f1"]}


@pytest.mark.parametrize(
    "flags",
    [
        ["--model-name", "resnet1d_10", "--sampler", "equal", "--batch-size", "256"],
        ["--model-name", "cnn1d_3", "--scheduler", "ReduceLROnPlateau", "--optimizer", "sgd", "--step", "1"],
        ["--model-name", "resnet1d_lean", "--ema", "0", "--augment", "light", "--accumulate", "3"],
        "--model-name resnet1d_gru --split kfold --fold 1/2 --context window --features rr --neighbours 1 "
        "--augment strong --mixup 0.3 --criterion logitadjusted".split(),
        [
            "--model-name",
            "lstm_1",
            "--scheduler",
            "ExponentialLR",
            "--class-balance",
            "importance",
            "--lr-decay",
            "0.5",
        ],
    ],
    ids=lambda flags: flags[1],
)
def test_four_epochs_equal_two_a_resume_and_two_more(tmp_path, flags):
    whole = run(tmp_path / "a", "--dataset", "synthetic", *flags, "--epochs", "4")
    run(tmp_path / "b", "--dataset", "synthetic", *flags, "--epochs", "2")
    torch.rand(7)  # what other programs draw in between must not matter
    again = run(tmp_path / "b", "--resume", "latest", "--epochs", "4")
    assert again["epoch"] == 4
    for name in ("checkpoint.pth.tar", "model_best.pth.tar"):
        one, other = weights(f"{whole['run']}/{name}"), weights(f"{again['run']}/{name}")
        assert all(torch.equal(one[key], other[key]) for key in one)
    logs = [read_json(f"{result['run']}/logger.json") for result in (whole, again)]
    assert without_times(logs[0]) == without_times(logs[1])
    assert whole["best"] == again["best"]


def test_the_same_command_gives_the_same_weights_and_another_seed_does_not(tmp_path):
    first, second, other = (
        train(tmp_path, "--epochs", "1", "--seed", seed, "--sampler", "equal") for seed in ("1", "1", "2")
    )
    a, b, c = (weights(f"{result['run']}/checkpoint.pth.tar")["fc.weight"] for result in (first, second, other))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_worker_processes_change_nothing(tmp_path):
    results = [train(tmp_path, "--epochs", "1", "-j", count) for count in ("0", "2")]
    a, b = (weights(f"{result['run']}/checkpoint.pth.tar")["fc.weight"] for result in results)
    assert torch.equal(a, b)


def test_resuming_past_the_end_says_so_and_changes_nothing(tmp_path, capsys):
    result = train(tmp_path, "--epochs", "2")
    before = sha256_of(f"{result['run']}/checkpoint.pth.tar")
    capsys.readouterr()
    assert run(tmp_path, "--resume", "latest")["epoch"] == 2
    assert "nothing to do" in capsys.readouterr().out
    assert sha256_of(f"{result['run']}/checkpoint.pth.tar") == before


def test_going_back_to_an_epoch_removes_what_came_after(tmp_path):
    result = train(tmp_path, "--epochs", "6")
    again = run(tmp_path, "--resume", "5", "--epochs", "6")
    assert without_times(again["val"]) == without_times(result["val"])
    run(tmp_path, "--resume", "best", "--epochs", "6")
    log = read_json(f"{result['run']}/logger.json")["logged"]
    assert [entry["epoch"] for entry in log["val"]] == [1, 2, 3, 4, 5, 6]


def test_a_trial_is_no_latest_run(tmp_path):
    real = train(tmp_path, "--epochs", "1")
    trial = train(tmp_path, "--epochs", "1", "--short-run")
    assert trial["run"] != real["run"]
    assert run(tmp_path, "--test")["run"] == real["run"]
    assert run(tmp_path, "--test", "--version", "2")["run"] == trial["run"]


def test_test_finds_the_newest_run_and_its_flags(tmp_path):
    train(tmp_path, "--epochs", "1", "--sampler", "equal")
    newest = train(tmp_path, "--epochs", "1", "--batch-size", "64", dataset="synthetic_bin")
    assert run(tmp_path, "--test", "--resume", "best")["run"] == newest["run"]
    older = run(tmp_path, "--test", "--sampler", "equal", "--dataset", "synthetic", "--version", "1")
    assert "sampequal_1" in older["run"]
    with pytest.raises(UserError, match=r"version 1 could be any of: .*sampequal_1.*synthetic_bin"):
        run(tmp_path, "--test", "--version", "1")
    with pytest.raises(UserError, match="no version 7 fits --model-name cnn1d_3; there are versions of"):
        run(tmp_path, "--test", "--model-name", "cnn1d_3", "--version", "7")
    with pytest.raises(UserError, match="no run fits --model-name lstm_1; there are: "):
        run(tmp_path, "--test", "--model-name", "lstm_1")


def test_training_and_test_end_by_naming_the_page(tmp_path, capsys):
    page = Path(train(tmp_path, "--epochs", "1")["run"]) / "report.html"
    assert page.is_file() and capsys.readouterr().out.splitlines()[-1] == f"report: {page}"
    run(tmp_path, "--test", "--dataset", "synthetic")
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {page}"


def test_a_run_keeps_its_flags(tmp_path):
    train(tmp_path, "--epochs", "1")
    with pytest.raises(UserError, match=r"--seed 7: .* was started with 42"):
        run(tmp_path, "--resume", "latest", "--epochs", "2", "--seed", "7")


def test_existing_versions_are_not_overwritten(tmp_path):
    train(tmp_path, "--epochs", "1", "--version", "3")
    with pytest.raises(UserError, match="exists; go on with it by --resume latest"):
        train(tmp_path, "--epochs", "1", "--version", "3")
    assert train(tmp_path, "--epochs", "1", "--version", "bump")["run"].endswith("_4")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--test"], "no run fits yet; there are no runs: train one first"),
        (["--resume", "latest"], "there are no runs"),
        (["--dataset", "synthetic", "--model-name", "cnn1d_3", "--masking"], "models that do: lstm_seq, gru_seq"),
        (
            ["--dataset", "synthetic", "--model-name", "cnn1d_3", "--progressive", "99"],
            "cnn1d_3 reads whole rows of 187",
        ),
        (
            ["--dataset", "synthetic", "--model-name", "cnn1d_3", "--pretrained", "nothing"],
            "no such file, folder or run",
        ),
        (["--model-name", "cnn1d_3", "--records-dir", "nowhere"], "no folder nowhere with WFDB records"),
        (["--model-name", "cnn1d_3", "--source", "csv"], "lacks mitbih_train.csv and mitbih_test.csv"),
    ],
)
def test_a_failed_start_leaves_no_run(tmp_path, argv, said):
    with pytest.raises(UserError, match=said):
        run(tmp_path, *argv)
    assert not list(tmp_path.glob("*/runs/*"))


def test_missing_epochs_name_what_is_there(tmp_path):
    train(tmp_path, "--epochs", "1")
    with pytest.raises(UserError, match=r"no checkpoint .*; there: checkpoint.pth.tar, .*model_best.pth.tar"):
        run(tmp_path, "--test", "--resume", "7")


def test_pretrained_takes_a_run_a_folder_or_a_file_and_another_head(tmp_path):
    first = train(tmp_path, "--epochs", "1")
    name = first["run"].rpartition("/")[2]
    for source in (name, first["run"], f"{first['run']}/model_best.pth.tar"):
        result = train(tmp_path, "--epochs", "1", "--lr", "1e-9", "--pretrained", source, dataset="synthetic_bin")
        old, new = weights(f"{first['run']}/model_best.pth.tar"), weights(f"{result['run']}/checkpoint.pth.tar")
        assert torch.allclose(old["conv1.weight"], new["conv1.weight"], atol=1e-6)
        assert new["fc.weight"].shape[0] == 2
    with pytest.raises(UserError, match="is a checkpoint of cnn1d_3, not of lstm_1"):
        train(tmp_path, "--pretrained", name, model="lstm_1")


def test_validate_on_test_says_that_it_leaks(tmp_path, capsys):
    result = train(tmp_path, "--epochs", "1", "--validate-on", "test")
    assert "leak" not in capsys.readouterr().out
    config = read_json(f"{result['run']}/config.json")
    assert config["data"]["rows"]["val"] == config["data"]["rows"]["test"]
    assert any("too good" in text for text in config["warnings"])
    assert "too good" in Path(result["run"], "report.html").read_text()


def test_a_settled_recipe_learns_from_everybody_and_ends_with_its_last_epoch(tmp_path, capsys):
    flags = ["--split", "kfold", "--fold", "1/2", "--context", "window", "--features", "tempo", "--sampler", "patients",
             "--validate-on", "train", "--monitor", "last"]  # fmt: skip
    result = train(tmp_path, "--epochs", "3", *flags, model="mlp")
    assert result["best"] == {"epoch": 3, "monitor": "last", "score": 3.0}
    config = read_json(f"{result['run']}/config.json")
    assert config["data"]["patients"]["train"] == config["data"]["patients"]["val"]
    assert any("Choose nothing by them" in text for text in config["warnings"])
    center = weights(f"{result['run']}/model_best.pth.tar")["center"]
    assert center.abs().max() > 0.01  # the scaling of the training rows is in the checkpoint
    again = run(tmp_path, "--dataset", "synthetic", "--model-name", "mlp", "--resume", "latest", "--epochs", "4")
    assert again["best"]["epoch"] == 4
    tested = run(tmp_path, "--test", "--resume", "best")
    assert (
        tested["epoch"] == 4 and tested["patients"]["calibration"]["temperature"] is None
    )  # nothing is left to fit it


def test_prepare_says_what_the_data_are(tmp_path, capsys):
    summary = run(tmp_path, "--prepare", "--dataset", "synthetic", "--write-records", str(tmp_path / "wfdb"))
    again = run(tmp_path, "--prepare", "--dataset", "synthetic")
    assert summary["sha256"] == again["sha256"]
    flags = ["--prepare", "--dataset", "synthetic", "--write-records", str(tmp_path / "wfdb")]
    run(tmp_path, *flags)  # the same files
    for suffix in (".hea", ".dat", ".atr"):
        path = tmp_path / "wfdb" / f"{summary['records'][1]}{suffix}"
        content = path.read_bytes()
        path.write_bytes(b"of somebody else")
        with pytest.raises(UserError, match="is another file, and is kept"):
            run(tmp_path, *flags)
        assert path.read_bytes() == b"of somebody else" and len(list((tmp_path / "wfdb").iterdir())) == 12
        path.write_bytes(content)
    printed = capsys.readouterr().out
    for digest in summary["sha256"].values():
        assert digest in printed
    assert len(summary["records"]) == 4 and (tmp_path / "wfdb" / f"{summary['records'][0]}.atr").is_file()
    assert not (tmp_path / "synthetic" / "runs").exists()


def test_verbose_prints_each_validation_prediction(tmp_path, capsys):
    result = train(tmp_path, "--epochs", "1", "--verbose")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("beat ")]
    confusion = np.array(result["val"]["confusion"])
    assert len(lines) == confusion.sum()
    assert sum(line.endswith("WRONG") for line in lines) == confusion.sum() - np.trace(confusion)


def test_tensorboard_has_everything(tmp_path):
    result = train(tmp_path, "--epochs", "2", "--tensorboard")
    run(tmp_path, "--test", "--tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(f"{result['run']}/tensorboard")
    events.Reload()
    tags = events.Tags()
    assert {"loss/train", "loss/val", "acc1/test", "macro_f1/val", "AUROC/val", "learning_rate"} <= set(tags["scalars"])
    assert tags["graph"] and {"confusion/val", "roc/test"} <= set(tags["images"])
    assert {"weights/fc.weight", "gradients/fc.weight"} <= set(tags["histograms"])
    values = [event.value for event in events.Scalars("macro_f1/val")]
    log = read_json(f"{result['run']}/logger.json")["logged"]["val"]
    assert values == pytest.approx([entry["macro_f1"] for entry in log], rel=1e-6)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--test", "--root-dir", "nowhere"], "error: no run fits yet; there are no runs: train one first"),
        (["--model-name", "cnn1d_3", "--source", "csv", "--root-dir", "nowhere"], "error: nowhere/ecg lacks"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(tmp_path, argv, said):
    answer = subprocess.run(
        [sys.executable, str(ROOT / "commander.py"), *argv], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert said in answer.stderr and "Traceback" not in answer.stderr and answer.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@needs_records
def test_real_records_give_the_published_check_values(tmp_path):
    summary = run(tmp_path, "--prepare", "--dataset", "ecg", "--records-dir", str(RECORDS))
    assert summary["sha256"] == {
        "X_train": "9efde051b70cb8e2f048865d40043b5220da91ed8a2c23fe2f456edd3374cf80",
        "y_train": "1726e57ad2c99bfbec3ae1845ff75a5449df8b4926319c80aa9c8c456a7497dd",
        "X_test": "6f64721ee4fffe369be7e0cd8136ed1a0b9cf7871df1455001ddbfa824b8b6fd",
        "y_test": "90fafb693bf240f953a7c94654cf6ce42bac50964ee527f72c494957dacb8a12",
        "X_all": "91a473f8aa67f8ca0908eb69e72d53afae1e5d21a0c7f32e70015962f2552d97",
    }
    assert sum(summary["counts"]["train"]) + sum(summary["counts"]["val"]) == 87554
    assert summary["counts"]["test"] == [18118, 556, 1448, 162, 1608]


def test_a_training_does_not_import_the_compiler(tmp_path: Path) -> None:
    """torch._dynamo takes as long to import as torch itself, and torch's optimizers ask for it by habit."""
    program = "import sys, commander; commander.main(sys.argv[1:]); print('torch._dynamo' in sys.modules)"
    flags = ["--dataset", "synthetic", *SMALL, "--root-dir", str(tmp_path), "--model-name", "cnn1d_3", "--short-run"]
    argv = [sys.executable, "-c", program, *flags, "--epochs", "1"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
