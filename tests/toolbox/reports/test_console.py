"""toolbox.reports.console: scores as text."""

from __future__ import annotations

import pytest

from toolbox.reports.console import epoch_line, percent, print_predictions, scores_table


def test_an_undefined_score_is_a_dash() -> None:
    assert [percent(score) for score in (None, 0.0, 0.98765, 1.0)] == ["-", "0.00 %", "98.77 %", "100.00 %"]


def test_an_epoch_is_one_line() -> None:
    train = {"loss": 0.25, "acc1": 0.9, "lr": 0.00123, "seconds": 12.34}
    val = {"loss": 0.5, "acc1": 0.8, "acc_class": None, "macro_f1": 0.7, "seconds": 1.0}
    assert epoch_line("epoch 1/4", train, val) == (
        "epoch 1/4: train loss 0.2500 acc1 90.00 % | val loss 0.5000 acc1 80.00 % acc_class - macro_f1 70.00 % | "
        "lr 0.00123 | 12.3 + 1.0 s"
    )


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
