"""toolbox.reports.console: scores as text."""

from __future__ import annotations

import io

import pytest

from toolbox.reports import console
from toolbox.reports.console import (
    aligned,
    batch_bar,
    class_counts,
    duration,
    epoch_header,
    epoch_row,
    percent,
    print_predictions,
    scores_table,
)


def test_an_undefined_score_is_a_dash() -> None:
    assert [percent(score) for score in (None, 0.0, 0.98765, 1.0)] == ["-", "0.00 %", "98.77 %", "100.00 %"]


def test_epochs_stand_in_columns_below_one_header() -> None:
    train = {"loss": 0.25, "acc1": 0.9, "lr": 0.00123, "seconds": 12.34}
    val = {"loss": 0.5, "acc1": 0.8, "acc_class": None, "macro_f1": 0.7, "kappa": 0.6, "seconds": 1.0}
    header, row = epoch_header("macro_f1"), epoch_row(1, 4, train, val, "macro_f1", True, 40.0)
    assert header == "  epoch     loss val loss    acc1 acc_class macro_f1       lr    time    left"
    assert row == "    1/4   0.2500   0.5000   80.00         -    70.00  0.00123    13 s    40 s *"
    assert epoch_row(100, 100, train, val, "macro_f1", False, 0.0).startswith("100/100 ")
    assert len(header) <= 80 and len(row) <= 80


def test_the_score_that_chooses_the_best_epoch_has_a_column() -> None:
    val = {"loss": 0.5, "acc1": 0.8, "acc_class": 0.75, "macro_f1": 0.7, "kappa": 0.6, "seconds": 1.0}
    train = {"loss": 0.25, "lr": 0.01, "seconds": 1.0}
    assert "   kappa " in epoch_header("kappa")
    assert epoch_row(2, 4, train, val, "kappa", False, 4.0).split()[5] == "60.00"
    for monitor in ("loss", "last", "acc1", "acc_class"):
        assert epoch_header(monitor) == epoch_header("macro_f1")


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
        "              Se        +P        F1     rows",
        "Normal   50.00 %  100.00 %   25.00 %       12",
        "Fusion         -         -         -        0",
        "acc1 50.00 %  AUROC -  kappa 0.123",
    ]
