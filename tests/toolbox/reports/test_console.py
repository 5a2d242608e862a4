"""toolbox.reports.console: scores as text."""

from __future__ import annotations

import io

import pytest

from toolbox.reports import console
from toolbox.reports.console import (
    LINE_WIDTH,
    aligned,
    batch_bar,
    class_counts,
    duration,
    epoch_header,
    epoch_row,
    percent,
    print_predictions,
    scores_table,
    wrapped,
)
from toolbox.utils.aami import ABNORMAL, CLASS_NAMES, NORMAL, SUPRAVENTRICULAR, VENTRICULAR


def test_an_undefined_score_is_a_dash() -> None:
    assert [percent(score) for score in (None, 0.0, 0.98765, 1.0)] == ["-", "0.00 %", "98.77 %", "100.00 %"]


VAL = {
    "loss": 0.5, "acc1": 0.8, "acc_class": 0.75, "macro_f1": 0.7, "kappa": 0.6, "seconds": 1.0,
    "per_class": {SUPRAVENTRICULAR: {"F1": 0.856}, VENTRICULAR: {"F1": None}, ABNORMAL: {"F1": 0.9}},
}  # fmt: skip
TRAIN = {"loss": 0.25, "acc1": 0.9, "lr": 0.00123, "seconds": 12.34}


def test_epochs_stand_in_columns_below_one_header() -> None:
    header = epoch_header("macro_f1", CLASS_NAMES)
    row = epoch_row(1, 4, TRAIN, VAL, "macro_f1", CLASS_NAMES, True, 40.0)
    assert header == "  epoch    loss val loss    acc   S F1   V F1 macro F1       lr   time   left"
    assert row == "    1/4  0.2500   0.5000  80.00  85.60      -    70.00  0.00123   13 s   40 s *"
    most = {
        **VAL,
        "loss": 12.34567,
        "acc1": 1.0,
        "macro_f1": 1.0,
        "per_class": {name: {"F1": 1.0} for name in CLASS_NAMES},
    }
    slow = {"loss": 12.3456, "lr": 1.234e-05, "seconds": 5900.0}
    widest = epoch_row(100, 100, slow, most, "macro_f1", CLASS_NAMES, True, 3600.0 * 99)
    assert len(header) == len(widest) - 2 and len(widest) <= LINE_WIDTH == 79
    assert widest.split() == [
        "100/100",
        "12.3456",
        "12.3457",
        *["100.00"] * 4,
        "1.23e-05",
        "98",
        "min",
        "99.0",
        "h",
        "*",
    ]


def test_two_classes_have_their_own_columns() -> None:
    assert epoch_header("macro_f1", (NORMAL, ABNORMAL)).split()[5:9] == ["N", "F1", "A", "F1"]
    row = epoch_row(1, 4, TRAIN, VAL, "macro_f1", (NORMAL, ABNORMAL), False, 40.0)
    assert row.split()[4:6] == ["-", "90.00"] and len(row) == len(epoch_header("macro_f1", (NORMAL, ABNORMAL)))


def test_the_score_that_chooses_the_best_epoch_has_a_column() -> None:
    assert "    kappa " in epoch_header("kappa", CLASS_NAMES)
    assert epoch_row(2, 4, TRAIN, VAL, "kappa", CLASS_NAMES, False, 4.0).split()[6] == "60.00"
    assert "  mean Se " in epoch_header("acc_class", CLASS_NAMES)
    for monitor in ("loss", "last", "acc1"):
        assert epoch_header(monitor, CLASS_NAMES) == epoch_header("macro_f1", CLASS_NAMES)


def test_the_best_epoch_is_bold_where_colour_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    plain = epoch_row(1, 4, TRAIN, VAL, "macro_f1", CLASS_NAMES, False, 40.0)
    assert epoch_row(1, 4, TRAIN, VAL, "macro_f1", CLASS_NAMES, True, 40.0) == f"\x1b[1m{plain} *\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert epoch_row(1, 4, TRAIN, VAL, "macro_f1", CLASS_NAMES, True, 40.0) == f"{plain} *"


def test_durations_are_short() -> None:
    assert [duration(seconds) for seconds in (0.2, 99, 100, 5999, 6000)] == ["0 s", "99 s", "2 min", "100 min", "1.7 h"]


def test_facts_and_class_counts_are_lines() -> None:
    assert aligned({"run": "a", "device": "cpu"}) == "run     a\ndevice  cpu"
    assert class_counts(("Normal", "Abnormal", "Own"), (72471, 5, 0)) == "N 72,471  A 5  Own 0"


def test_without_a_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    bar = batch_bar([1, 2], "train", 2)
    for _ in bar:
        bar.show([0.5], [128])
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_line_comes_every_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(25.0 * step for step in range(100))
    monkeypatch.setattr(console.time, "perf_counter", lambda: next(clock))
    bar = batch_bar(range(8), "epoch 2/3", 8)
    for number, _ in enumerate(bar):
        bar.show([1.0, 0.5] if number > 3 else [1.0], [100] * (number + 1))
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == [
        "epoch 2/3: 3 of 8 batches, loss 1.0000, 4 beats/s",
        "epoch 2/3: 6 of 8 batches, loss 0.8500, 4 beats/s",
    ]


def test_the_bar_reads_a_loss_only_when_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", terminal)
    clock = iter(0.2 * step for step in range(100))
    monkeypatch.setattr(console.time, "perf_counter", lambda: next(clock))
    read: list[int] = []

    class Loss:
        def __float__(self) -> float:
            read.append(1)
            return 0.25

    bar, sizes = batch_bar(range(10), "epoch 1/2", 10), [64, 64]  # two batches came before an interruption
    for _ in bar:
        sizes.append(50)
        bar.show([Loss()], sizes)
    assert len(read) == 3  # after 0.6, 1.2 and 1.8 s
    assert "epoch 1/2" in terminal.getvalue() and "loss 0.2500, 250 beats/s" in terminal.getvalue()


def test_wrong_predictions_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    print_predictions({"7": [0, 0], "8": [1, 0]}, ("Normal", "Abnormal"))
    assert capsys.readouterr().out == "beat 7: Normal, is Normal\nbeat 8: Abnormal, is Normal  WRONG\n"


def test_the_table_has_a_line_for_each_class_and_one_over_all() -> None:
    per_class = {"Normal": {"Se": 0.5, "+P": 1.0, "F1": 0.25, "support": 12}, "Fusion": {"Se": None}}
    table = scores_table({"acc1": 0.5, "AUROC": None, "kappa": 0.12345, "j_kappa": None, "per_class": per_class})
    assert table.splitlines() == [
        "              Se        +P        F1    beats",
        "Normal   50.00 %  100.00 %   25.00 %       12",
        "Fusion         -         -         -        0",
        "accuracy 50.00 %  AUROC -  kappa 0.123",
    ]


def test_scores_stand_side_by_side_as_far_as_they_fit() -> None:
    assert wrapped(["a" * 38, "b" * 39, "c"]) == [f"{'a' * 38}  {'b' * 39}", "c"]
    assert wrapped([]) == []
