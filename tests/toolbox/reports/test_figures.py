"""Pictures and tables for papers: formats, resolution, titles, the same bytes; LaTeX with booktabs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

import commander
from tests.commands.test_compare import refused
from toolbox.options import FigureOptions
from toolbox.plotter import plot_confusion_matrix, plot_pr_curve
from toolbox.reports.ec57_report import TEX_START, result_files
from toolbox.reports.latex import escaped, latex_table
from toolbox.reports.run_files import save_figures
from toolbox.reports.score_tables import records_as_latex
from toolbox.reports.seed_tables import as_latex
from toolbox.utils import UserError

SMALL = "--dataset synthetic --synthetic-patients 6 --synthetic-minutes 3 --model-name cnn1d_3 --device cpu".split()


def figure():
    """A confusion matrix of two classes."""
    return plot_confusion_matrix(np.array([[3, 1], [0, 2]]), ("N", "A"))


@pytest.mark.draws
def test_each_format_is_what_it_says_and_the_same_each_time(tmp_path: Path) -> None:
    style = FigureOptions(figures=["pdf", "svg"], dpi=50, titles=True)
    png = save_figures(figure(), tmp_path / "cm", style)
    assert png == tmp_path / "cm.png" and sorted(path.suffix for path in tmp_path.iterdir()) == [".pdf", ".png", ".svg"]
    assert Image.open(png).size == (480, 360)  # 9.6 by 7.2 inches
    page = pypdfium2.PdfDocument(tmp_path / "cm.pdf")[0]
    assert page.get_size() == pytest.approx((9.6 * 72, 7.2 * 72))
    assert (
        "Confusion matrix" in page.get_textpage().get_text_bounded()
        and b"/Type3" not in (tmp_path / "cm.pdf").read_bytes()
    )
    assert (tmp_path / "cm.svg").read_text().startswith("<?xml")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    save_figures(figure(), tmp_path / "cm", style)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.draws
def test_titles_are_left_out_when_asked(tmp_path: Path) -> None:
    save_figures(figure(), tmp_path / "cm", FigureOptions(figures=["pdf"], titles=False))
    text = pypdfium2.PdfDocument(tmp_path / "cm.pdf")[0].get_textpage().get_text_bounded()
    assert "Confusion matrix" not in text and "Predicted class" in text


def test_a_test_redraws_a_run_for_a_paper_and_the_docs_lines_draw_from_what_it_kept(tmp_path: Path) -> None:
    where = ["--root-dir", str(tmp_path)]
    run = Path(commander.main([*SMALL, *where, "--epochs", "1"])["run"])
    assert {path.suffix for path in (run / "pics").iterdir()} == {".png"}
    commander.main(["--test", "--figures", "pdf", "svg", "--no-titles", *where])
    for stem in ("pred/cm_ep1", "pred/norm_cm_ep1", "pred/roc_ep1", "pred/reliability_ep1", "pics/loss"):
        assert all((run / f"{stem}.{kind}").is_file() for kind in ("png", "pdf", "svg")), stem
    assert r"\caption{Scores by class, labels by " in (run / "pred" / "scores_ep1.tex").read_text()
    beats = np.load(run / "pred" / "test_beats_ep1.npz")
    drawn = plot_pr_curve(beats["probabilities"], beats["labels"], beats["names"])
    drawn.savefig(io.BytesIO())


def test_a_table_has_rules_caption_and_label() -> None:
    text = latex_table("Scores.", "My table_1", "lr", ["A", "B"], [["x", "1"], ["y", "2"]], [["all", "3"]], "100%")
    assert text.splitlines() == [
        "% 100%",
        r"\begin{table}",
        r"\caption{Scores.}",
        r"\label{tab:my-table-1}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"A & B \\",
        r"\midrule",
        r"x & 1 \\",
        r"y & 2 \\",
        r"\midrule",
        r"all & 3 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    assert escaped("50 % of a_b & ~\x1b") == r"50 \% of a\_b \& \textasciitilde{}\textbackslash{}x1b"


def test_seeds_are_a_table_of_means_and_deviations() -> None:
    figures = {
        "acc1": {"mean": 0.9751, "std": 0.0012},
        "j_kappa": {"mean": 0.8971, "std": 0.0014},
        "per_class/Fusion/Se": {"mean": 0.5, "std": None},
        "per_class/Fusion/+P": {"mean": None, "std": None},
        "per_class/Fusion/F1": {"mean": 0.25, "std": 0.05},
    }
    state = {"name": "e", "seeds": [0, 1], "options": {"model_name": "cnn1d_3"}, "test": figures}
    text = as_latex(state, "test")
    assert r"Fusion & $50.00$ & -- & $25.00 \pm 5.00$ \\" in text
    assert r"accuracy (\%) & $97.51 \pm 0.12$ &  &  \\" in text and r"$j$-$\kappa$ & $0.897 \pm 0.001$" in text
    assert r"\label{tab:seeds-cnn1d-3-test}" in text and r"of cnn1d\_3 on test beats" in text and "2 seeds" in text


def test_no_table_by_record_where_no_record_is_named() -> None:
    assert records_as_latex({"maps": {"a": {}}}) == ""


def test_a_table_of_others_is_kept(tmp_path: Path) -> None:
    (tmp_path / "n.tex").write_text("my own")
    with pytest.raises(UserError, match=r"n\.tex is not of --score, and is kept"):
        result_files(tmp_path / "n.tex")
    (tmp_path / "n.tex").write_text(f"{TEX_START}\n...")
    assert [path.name for path in result_files(tmp_path / "n.tex")] == ["n.json", "n.txt", "n.tex"]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--figures", "eps"], "invalid choice: 'eps'"), (["--dpi", "5"], "expected a whole number of at least 30")],
)
def test_mistakes_are_one_line(capsys, monkeypatch, words: list[str], message: str) -> None:
    assert message in refused(capsys, monkeypatch, *SMALL, *words)
