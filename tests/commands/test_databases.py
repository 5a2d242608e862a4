"""Runs that train on databases: test scores by database, tests on others, fine-tuning on one's own records."""

from __future__ import annotations

from pathlib import Path

import pytest

import commander
from args import parse_args
from commands.runs import find_run
from tests.loaders.annotated_records import write_databases
from toolbox.metrics.patients import DE_CHAZAL
from toolbox.runs.folders import Run, resume_command
from toolbox.utils import UserError, read_json, write_json

ROWS = ["--context", "window", "--leads", "2", "--features", "rr", "--model-name", "mlp"]
QUICK = ["--epochs", "1"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Databases as folders, and a run that learned from two of them."""
    root = tmp_path_factory.mktemp("databases")
    write_databases(root)
    train = ["--train-on", f"{root}/mitdb:118,201", f"{root}/svdb:800,801"]
    start(root, *ROWS, *train, "--test-on", f"{root}/svdb:802", f"{root}/mine:p2")
    return root


def start(root: Path, *words: str) -> Path:
    return Path(commander.main(["--root-dir", str(root), *QUICK, *words])["run"])


def first_run(root: Path) -> Path:
    return next((root / "ecg" / "runs").glob("*onmitdb.118-201+svdb.800-801_leads2_rr_1"))


def test_the_run_is_named_by_its_rows_and_says_whose_they_are(root: Path) -> None:
    config = read_json(first_run(root) / "config.json")
    assert config["options"]["split"] == "databases"
    assert config["data"]["records"]["test"] == ["mine/p2", "svdb/802"]
    assert sorted(config["data"]["databases"]) == ["mine", "mitdb", "svdb"]


def test_scores_by_database_gross_and_average_with_intervals(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = commander.main(["--root-dir", str(root), "--test"])
    whole, databases = result["patients"], result["patients"]["databases"]
    assert list(databases) == ["mine", "svdb"]
    parts = [each["maps"][DE_CHAZAL]["confusion"] for each in databases.values()]
    summed = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(*parts, strict=True)]
    assert summed == whole["maps"][DE_CHAZAL]["confusion"]
    for name, each in databases.items():
        ec57 = each["maps"][DE_CHAZAL]["ec57"]
        assert {"gross", "average"} <= ec57.keys()
        assert all(record.startswith(f"{name}/") for record in ec57["records"])
        assert each["patients"] == 1 and each["intervals"] is None  # one record each
    assert whole["intervals"].startswith("95 % by bootstrap over records")  # whose "mine" are, nothing says
    text = capsys.readouterr().out
    assert text.index("database mine") < text.index("database svdb") < text.index("all databases")
    table = next((first_run(root) / "pred").glob("scores_ep*.csv")).read_text()
    assert f"svdb: {DE_CHAZAL}".split(",")[0] in table and "EC57 average" in table


def test_a_test_on_other_databases_leaves_the_runs_own_scores(root: Path) -> None:
    commander.main(["--root-dir", str(root), "--test"])
    run = first_run(root)
    before = {path: path.read_bytes() for path in (run / "pred").iterdir()}
    result = commander.main(["--root-dir", str(root), "--test", "--test-on", f"{root}/mine"])
    assert {path: path.read_bytes() for path in (run / "pred").iterdir()} == before
    assert result["patients"]["patients"] == 2 and "databases" not in result["patients"]
    scores = read_json(next((run / "test_on" / "mine" / "pred").glob("scores_ep*.json")))
    assert set(scores["maps"][DE_CHAZAL]["ec57"]["records"]) <= {"mine/p1", "mine/p2"}


def test_people_who_were_learned_from_test_nothing(root: Path) -> None:
    with pytest.raises(UserError, match="records to train on and to test on: svdb/800; name each on one side"):
        commander.main(["--root-dir", str(root), "--test", "--test-on", f"{root}/svdb:800"])
    with pytest.raises(UserError, match="all its records are paced or of people who train: nstdb/118e24"):
        commander.main(["--root-dir", str(root), "--test", "--test-on", f"{root}/nstdb"])


def test_a_list_that_has_changed_since_is_seen(root: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("p1,Ann\np2,Bob\n")
    learn = ["--validate-on", "train", "--monitor", "last"]
    flags = ["--train-on", f"{root}/mine:p1", "--patients", str(people), *learn]
    run = start(root, *ROWS, "--leads", "1", *flags)
    people.write_text("p1,Ann\np2,Ann\n")
    with pytest.raises(UserError, match="all its records are paced or of people who train: mine/p2"):
        score(root, f"{root}/mine:p2")
    config = read_json(run / "config.json")
    config["data"]["people"]["train"] = ["Bob"]
    people.write_text("p1,Ann\np2,Bob\n")
    write_json(run / "config.json", config)
    with pytest.raises(UserError, match="learned from records that would test it now: Bob"):
        score(root, f"{root}/mine:p2")


def score(root: Path, *test_on: str) -> None:
    commander.main(["--root-dir", str(root), "--test", "--leads", "1", "--test-on", *test_on])


def test_a_run_without_a_test_side_asks_for_one(root: Path) -> None:
    run = start(root, *ROWS, "--train-on", f"{root}/svdb:800,801")
    with pytest.raises(UserError, match=rf"{run.name} names nothing to test on; name it by --test-on DB"):
        commander.main(["--root-dir", str(root), "--test", "--train-on", f"{root}/svdb:800,801"])


def test_the_command_that_resumes_names_lists_as_words(root: Path) -> None:
    run = Run(first_run(root), read_json(first_run(root) / "config.json"))
    command = resume_command(run, ("train_on", "leads"))
    words = command.split()
    assert words[words.index("--version") + 1] == "1"
    if "--train-on" in words:  # where another run has the same version
        at = words.index("--train-on")
        assert words[at + 1 : at + 3] == run.options["train_on"]
        assert find_run(parse_args(words[words.index("--resume") :])).name == run.name


# --pretrained


def test_fine_tuning_takes_the_rows_of_the_network(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = first_run(root)
    run = start(root, "--pretrained", str(source), "--train-on", f"{root}/mine", "--lr", "0.0005")
    options, own = (read_json(path / "config.json")["options"] for path in (run, source))
    for name in ("model_name", "context", "leads", "features", "window_rate"):
        assert options[name] == own[name], name
    assert "note: as " in capsys.readouterr().err
    assert run.name.endswith("onmine_leads2_rr_1")


def test_rows_that_are_cut_otherwise_are_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"--leads 1: the weights of .* learned from rows of 2; leave the flag out"):
        start(root, *ROWS, "--leads", "1", "--pretrained", str(first_run(root)), "--train-on", f"{root}/mine")
