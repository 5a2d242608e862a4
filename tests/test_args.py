"""Flags, where their values come from, and what runs are called."""

import json
import os
from argparse import Namespace

import pytest

from args import CONFLICTS, extract_name, get_parser, get_version, parse_args, run_options

# Flag -> default, as the predecessor had them (SEED: --workers was 1, and is 0 now because that is faster).
PREDECESSOR = {
    "dataset": "ecg", "test": False, "root_dir": "ecg_data", "model_name": None, "resume": "", "workers": 0,
    "start_epoch": 1, "step": 5, "batch_size": 128, "epochs": 20, "optimizer": "adam", "scheduler": "StepLR",
    "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "lr_decay": 0.995, "criterion": "nll", "class_balance": None,
    "sampler": None, "seed": 42, "short_run": False, "disable_cuda": False, "tensorboard": False, "verbose": False,
    "pretrained": None,
}  # fmt: skip


def refused(capsys, *argv):
    """The message that the parser refuses `argv` with."""
    with pytest.raises(SystemExit) as stop:
        parse_args(list(argv))
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("commander.py: error: ") and printed.err.count("\n") == 1
    return printed.err.strip()


@pytest.mark.parametrize("flag", PREDECESSOR)
def test_predecessors_flags_keep_their_defaults(flag):
    assert getattr(parse_args(["--model-name", "cnn1d_3"]), flag) == (
        PREDECESSOR[flag] if flag != "model_name" else "cnn1d_3"
    )


def test_every_command_of_the_predecessors_readme_parses():
    for line in (
        "--dataset ecg --epochs 20 --root-dir ecg_data --model-name resnet1d_10 --batch-size 128 --lr 0.001 "
        "--scheduler ReduceLROnPlateau --optimizer adam --lr-decay 0.5 --step 15 --workers 1 --tensorboard "
        "--sampler equal --version bump",
        "--model-name cnn1d_3 --tensorboard --version bump",
        "--model-name resnet1d_v2 --tensorboard --version bump",
        "--model-name cnn1d_3 --tensorboard --test --resume best --version latest",
        "--model-name cnn1d_3 --tensorboard --test --resume best --version 2",
    ):
        parse_args(line.split())


def test_aliases_become_the_smallest_of_their_family():
    assert parse_args(["--model-name", "resnet1d_v2"]).model_name == "resnet1d_v2_10"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--model-name", "resnet1d10"], "did you mean 'resnet1d_10'?"),
        (["--model-name", "cnn1d_3", "--optimizer", "adm"], "did you mean 'adam'?"),
        (["--model-name", "cnn1d_3", "--scheduler", "steplr"], "StepLR"),
        (["--model-name", "cnn1d_3", "--criterion", "focl"], "did you mean 'focal'?"),
        (["--dataset", "egc", "--prepare"], "did you mean 'ecg'?"),
        ([], "--model-name is missing; one of cnn1d_3, lstm_1"),
        (["--model-name", "cnn1d_3", "--sampler", "equal", "--class-balance", "equal"], "not allowed with"),
        (["--model-name", "cnn1d_3", "--num-classes", "4"], "ecg has 5 classes"),
        (["--model-name", "cnn1d_3", "--num-classes", "5", "--dataset", "ecg_bin"], "ecg_bin has 2 classes"),
        (["--model-name", "cnn1d_3", "--epochs", "0"], "'0': expected a whole number of at least 1"),
        (["--model-name", "cnn1d_3", "--lr", "-1"], "expected a number above 0"),
        (["--model-name", "cnn1d_3", "--lr", "nan"], "expected a number above 0"),
        (["--model-name", "cnn1d_3", "--lr", "abc"], "expected a number above 0"),
        (["--model-name", "cnn1d_3", "--batch-size", "1.5"], "expected a whole number"),
        (["--model-name", "cnn1d_3", "--val-fraction", "0.9"], "at most 0.5"),
        (["--model-name", "cnn1d_3", "--version", "newest"], "expected bump, latest or a number"),
        (["--resume", "first"], "expected latest, best or the number of an epoch"),
        (["--resume", "latest", "--version", "bump"], "--version bump starts a new run"),
        (["--model-name", "cnn1d_3", "--version", "latest"], "add --resume latest"),
        (["--resume", "latest", "--start-epoch", "3"], "--start-epoch conflicts"),
        (["--resume", "latest", "--pretrained", "x"], "--pretrained conflicts"),
        (["--model-name", "cnn1d_3", "--start-epoch", "30"], "lies behind --epochs 20"),
        (["--model-name", "cnn1d_3", "--prune", "0.5", "--mixup", "0.2"], "leave out --mixup"),
        (["--model-name", "cnn1d_3", "--prune", "0.5", "--sampler", "equal"], "leave out --sampler"),
        (["--prepare", "--test"], "--prepare stops after the data"),
        (["--write-records", "x", "--prepare"], "--dataset synthetic"),
        (["--model-name", "cnn1d_3", "--monitor", "accuracy"], "invalid choice"),
        (["--model", "cnn1d_3"], "unrecognized arguments"),
        (["--epoch", "5"], "unrecognized arguments: --epoch 5, did you mean '--epochs'?"),
        (["--batchsize", "4"], "did you mean '--batch-size'?"),
        (["--batch_size=4"], "did you mean '--batch-size'?"),
        (["--testt"], "did you mean '--test'?"),
        (["test"], "did you mean '--test'?"),
        (["train"], "did you mean '--model-name'?"),
        (["--gpu", "0"], "did you mean '--device'?"),
        (["--qqq"], "unrecognized arguments: --qqq; --help all lists the flags"),
        (["--resume"], "argument --resume: expected one argument, latest|best|N"),
        (["--model-name"], "argument --model-name: expected one argument, NAME"),
        (["--export", "onyx"], "invalid choice: 'onyx'"),
        (["--prepare", "--features", "RR"], "did you mean 'rr'?"),
        (["--config", "fst"], "did you mean 'fast'? recipes: balanced, balanced_rows, best, best_rows, fast,"),
        (["--config", "recipes/none.yaml"], "recipes: balanced,"),
        (["--model-name", "cnn1d_3", "--device", "gpu"], "'gpu': expected auto, cpu, cuda, cuda:N or mps"),
        (["--model-name", "cnn1d_3", "--device", "cuda", "--disable-cuda"], "leave out --device cuda"),
        (["--prepare", "--split", "kfold"], "--split kfold needs --fold I/K"),
        (["--prepare", "--split", "kfold", "--fold", "6/5"], "expected I/K"),
        (["--prepare", "--split", "kfold", "--fold", "1/1"], "expected I/K"),
        (["--prepare", "--fold", "1/5"], "Kaggle's split knows no patients"),
        (["--prepare", "--split", "interpatient", "--dataset", "synthetic"], "take --split kfold for synthetic"),
        (["--prepare", "--split", "interpatient", "--validate-on", "test"], "predecessor's protocol on Kaggle's split"),
        (["--prepare", "--split", "interpatient", "--source", "csv"], "CSV rows tell neither patients nor signals"),
        (["--prepare", "--features", "rr", "--source", "gdrive"], "--features needs raw records"),
        (["--prepare", "--features", "r"], "did you mean 'rr'?"),
        (["--prepare", "--leads", "2"], "--leads goes with --context window"),
        (["--prepare", "--context", "window", "--window-before", "0", "--window-after", "0.1"], "less than 16 samples"),
        (["--prepare", "--context", "window", "--progressive", "64"], "--progressive reads the start of Kaggle's rows"),
        (["--prepare", "--context", "window", "--window-rate", "30", "--highpass", "15"], "leaves nothing of 30"),
        (["--split", "interpatient", "--model-name", "cnn1d_3", "--num-classes", "5"], "ecg has 4 classes"),
        (["--prepare", "--validate-on", "train"], "add --monitor last"),
        (
            ["--prepare", "--split", "interpatient", "--fold", "1/7", "--validate-on", "train", "--monitor", "last"],
            "--validate-on train holds nobody out",
        ),
        (["--prepare", "--context", "window", "--spliced", "block:1"], "Kaggle's split has every patient in test"),
        (["--prepare", "--split", "interpatient", "--spliced", "block:1"], "--spliced goes with --context window"),
        (["--prepare", "--spliced", "flutter:1"], "expected kinds, each once"),
        (["--prepare", "--baseline", "median"], "--baseline goes with --context window"),
    ],
)
def test_mistakes_are_refused_in_one_line(capsys, argv, said):
    assert said in refused(capsys, *argv)


def test_config_sets_defaults_and_flags_win(tmp_path):
    config = tmp_path / "recipe.yaml"
    config.write_text("model-name: resnet1d\nlr: 0.002\nbatch_size: 64\ntensorboard: true\nsampler: equal\n")
    args = parse_args(["--config", str(config), "--lr", "0.5"])
    assert (args.model_name, args.lr, args.batch_size, args.tensorboard) == ("resnet1d_10", 0.5, 64, True)
    assert args.sampler == "equal"
    assert {"model_name", "lr", "batch_size", "tensorboard", "sampler", "config"} == args.given
    args = parse_args(["--config", str(config), "--class-balance", "equal", "--no-tensorboard"])
    assert (args.sampler, args.class_balance, args.tensorboard) == (None, "equal", False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning-rate: 1", "unknown flag 'learning-rate'"),
        ("batchsize: 1", "did you mean 'batch_size'?"),
        ("lr: high", "'high': expected a number above 0"),
        ("tensorboard: 3", "tensorboard: expected true or false"),
        ("- lr", "expected lines of the form `flag: value`"),
        ("lr: [", "not YAML"),
        ("sampler: equal\nclass_balance: equal", "not allowed with"),
    ],
)
def test_bad_config_files_are_refused(capsys, tmp_path, text, said):
    config = tmp_path / "recipe.yaml"
    config.write_text(text)
    assert said in refused(capsys, "--model-name", "cnn1d_3", "--config", str(config))


def test_a_missing_config_file_is_refused(capsys, tmp_path):
    assert "cannot read it" in refused(capsys, "--config", str(tmp_path / "none.yaml"))


def test_pipes_and_devices_are_no_config_files(capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    with open(tmp_path / "huge.yaml", "wb") as file:
        file.truncate(1 << 40)
    for name, why in (("pipe", "not a file"), ("endless", "not a file"), ("huge", "1,099,511,627,776 bytes")):
        assert f"cannot read it: {why}" in refused(capsys, "--config", str(tmp_path / f"{name}.yaml"))


def test_a_runs_config_repeats_it(tmp_path):
    line = "--model-name gru_seq --masking --lr 0.3 --betas 0.8 0.95 --sampler importance"
    first = parse_args(f"{line} --split kfold --fold 2/5 --features rr shape --context window --leads 2".split())
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"options": run_options(first), "name": "x"}))
    assert run_options(parse_args(["--config", str(config)])) == run_options(first)


def test_options_leave_out_what_is_done_and_keep_what_is_trained():
    options = run_options(parse_args("--model-name cnn1d_3 --verbose --root-dir elsewhere".split()))
    assert not {"verbose", "root_dir", "resume", "test", "version", "config", "given"} & options.keys()
    assert {"lr", "seed", "dataset", "model_name", "epochs", "val_fraction", "monitor"} <= options.keys()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("--model-name resnet1d_10 --lr 0.001", "ecg_resnet1d_10_opadam_StepLR_lr0.001_nll_bs128_"),
        ("--model-name lstm --sampler equal", "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_sampequal_"),
        (
            "--dataset ecg_bin --model-name cnn1d --class-balance importance --optimizer sgd --criterion focal",
            "ecg_bin_cnn1d_3_opsgd_StepLR_lr0.01_focal_bs128_cbimportance_",
        ),
        ("--model-name lstm --split kaggle --context window", "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_leads1_"),
        (
            "--model-name lstm --context window --leads 2 --features rr tempo --neighbours 1",
            "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_leads2_rr+tempo_neighbours1_",
        ),
        (
            "--model-name lstm --train-on mitdb:ds1 path/to/svdb:800,801 --test-on mitdb:ds2",
            "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_onmitdb.ds1+svdb.800-801_",
        ),
        (
            "--model-name lstm --train-on svdb:dev --split kfold --fold 1/5",
            "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_splitkfold_fold1of5_onsvdb.dev_",
        ),
        (
            "--model-name lstm --records-dir my/records --split kfold --fold 1/5",
            "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_splitkfold_fold1of5_onrecords_",
        ),
        ("--model-name lstm --records-dir my/mitdb", "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_"),
        (
            "--model-name lstm --split interpatient --sampler equal",
            "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_sampequal_splitinterpatient_",
        ),
        (
            "--model-name lstm --split kfold --fold 02/5",
            "ecg_lstm_1_opadam_StepLR_lr0.01_nll_bs128_splitkfold_fold2of5_",
        ),
    ],
)
def test_names(line, name):
    assert extract_name(parse_args(line.split())) == name


def test_long_lists_of_records_make_short_names_of_their_own():
    lists = [",".join(map(str, range(first, first + 40))) for first in (800, 801)]
    names = [extract_name(parse_args(["--model-name", "lstm", "--train-on", f"svdb:{text}"])) for text in lists]
    assert names[0] != names[1] and all(len(name) < 80 for name in names)


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ("--train-on mitdb:ds1", "databases"),
        ("--config interpatient --train-on mitdb:ds1", "databases"),  # over the recipe's
        ("--train-on svdb --split kfold --fold 1/3", "kfold"),
        ("--config interpatient", "interpatient"),
        ("--test --test-on svdb", "kaggle"),  # the run's own is taken later
    ],
)
def test_databases_are_a_split_of_their_own(line, split):
    args = parse_args(["--model-name", "mlp", *line.split()])
    assert args.split == split
    assert args.num_classes == (5 if split == "kaggle" else 4)


def test_versions_belong_to_exactly_these_flags(tmp_path):
    runs = tmp_path / "ecg" / "runs"
    for name in ("samp", "sampequal_9", "3", "11", "x", "3b"):
        (runs / f"ecg_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_{name}").mkdir(parents=True)
    args = parse_args(["--model-name", "cnn1d_3", "--root-dir", str(tmp_path)])
    assert get_version(args) == 12
    args.version = "latest"
    assert get_version(args) == 11
    args.version = "7"
    assert get_version(args) == 7
    args.dataset, args.version = "ecg_bin", "latest"
    assert get_version(args) is None


def test_help_names_what_can_be_chosen():
    text = get_parser().format_help()
    for word in ("resnet1d_v2_18", "gru_seq", "ReduceLROnPlateau", "focal", "synthetic_bin", "adamw"):
        assert word in text


def test_a_recipe_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("fast", "fast.yaml", "recipes/fast.yaml"):
        args = parse_args(["--config", name])
        assert (args.model_name, args.prune) == ("resnet1d_lean", 0.65)
    (tmp_path / "fast.yaml").write_text("model-name: cnn1d_3")
    assert parse_args(["--config", "fast.yaml"]).model_name == "cnn1d_3"  # a file that there is wins


def test_export_alone_means_onnx():
    assert parse_args(["--export"]).export == "onnx"
    assert parse_args(["--export", "--version", "2"]).export == "onnx"


def test_device_is_no_part_of_a_name_and_either_spelling_of_it_stands_for_both(tmp_path):
    args = parse_args(["--model-name", "cnn1d_3", "--device", "cuda:1"])
    assert (args.device, args.disable_cuda) == ("cuda:1", False) and {"device", "disable_cuda"} <= args.given
    assert extract_name(args) == extract_name(parse_args(["--model-name", "cnn1d_3"]))
    assert run_options(args)["device"] == "cuda:1"
    config = tmp_path / "config.yaml"
    config.write_text("model-name: cnn1d_3\ndevice: cuda")
    args = parse_args(["--config", str(config), "--disable-cuda"])
    assert (args.device, args.disable_cuda) == ("auto", True)


def test_every_conflict_gives_its_message():
    flags = vars(parse_args(["--model-name", "cnn1d_3"]))
    view = Namespace(**flags, changed=frozenset(), typed=frozenset(), continues=False, starts=True)
    assert len(CONFLICTS) > 40
    for conflict in CONFLICTS:
        assert not conflict.when(view)
        if isinstance(conflict.message, str):
            assert conflict.text(view) and "{" not in conflict.text(view)
