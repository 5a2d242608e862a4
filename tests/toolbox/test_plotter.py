"""toolbox.plotter: what the pictures show, read back from the figures and from the PNG files."""

import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from toolbox.plotter import one_vs_rest, plot_confusion_matrix, plot_history, plot_pr_curve, plot_roc_curve, save_plot
from toolbox.utils.aami import CLASS_COLOURS, LETTERS

pytestmark = pytest.mark.draws

FIVE = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")
TWO = ("Normal", "Abnormal")
COUNTS = np.array(
    [[18000, 60, 30, 10, 18], [200, 340, 10, 0, 6], [90, 8, 1300, 40, 10], [0, 0, 0, 0, 0], [50, 2, 6, 0, 1550]]
)


def predictions(classes, n=400, absent=(), seed=0):
    """Probabilities (n, classes) that are better than chance, and labels (n,)."""
    generator = np.random.default_rng(seed)
    labels = generator.choice([k for k in range(classes) if k not in absent], n)
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), labels] += 1.0
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True), labels


def cell_texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn_lines(figure):
    """label -> (x, y) of the lines that have points."""
    lines = figure.axes[0].get_lines()
    return {line.get_label().partition(":")[0]: line.get_data() for line in lines if len(line.get_xdata())}


def png_chunks(data):
    """The types of a PNG's chunks, their checksums verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        kinds.append(body[:4])
        at += 12 + length
    return kinds


def test_confusion_counts_have_thousands_separators():
    texts = cell_texts(plot_confusion_matrix(COUNTS, FIVE))
    assert texts[:5] == ["18,000", "60", "30", "10", "18"]
    assert texts[15:20] == ["0"] * 5


def test_confusion_normalised_by_row_and_absent_class_has_no_share():
    figure = plot_confusion_matrix(COUNTS, FIVE, normalize=True)
    texts = cell_texts(figure)
    assert texts[0] == "99.3%"  # 18000 of 18118
    assert texts[6] == "61.2%"  # 340 of 556
    assert texts[15:20] == ["–"] * 5
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1, 1, 0, 1])


def test_confusion_titles_and_row_totals():
    figure = plot_confusion_matrix(COUNTS, FIVE, title="Test")
    assert figure.axes[0].get_title() == "Test"
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows[0] == "Normal\n(n = 18,118)"
    assert rows[1] == "Supraventricular\nectopic\n(n = 556)"
    assert "per cent" in plot_confusion_matrix(COUNTS, FIVE, normalize=True).axes[0].get_title()


def test_confusion_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(5, 5\), expected \(2, 2\)"):
        plot_confusion_matrix(COUNTS, TWO)


@pytest.mark.parametrize("names", [FIVE, TWO], ids=["5 classes", "2 classes"])
def test_confusion_labels_neither_overlap_nor_leave_the_picture(names):
    figure = plot_confusion_matrix(np.full((len(names), len(names)), 1234567), names)
    figure.canvas.draw()
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels(), axes.texts):
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.get_yticklabels()):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_roc_gives_sklearns_area_per_class():
    probabilities, labels = predictions(5)
    figure = plot_roc_curve(probabilities, labels, FIVE)
    lines = drawn_lines(figure)
    for k, name in enumerate(FIVE):
        area = roc_auc_score(labels == k, probabilities[:, k])
        assert f"{name}: AUROC {area:.4f}" in legend_texts(figure)
        assert np.trapezoid(lines[name][1], lines[name][0]) == pytest.approx(area)


def test_classes_have_the_colours_that_they_have_on_pages():
    (axes,) = plot_roc_curve(*predictions(5), FIVE).axes
    by_name = {line.get_label().split(":")[0]: line.get_color() for line in axes.lines}
    assert {LETTERS[name]: by_name[name] for name in FIVE} == {letter: CLASS_COLOURS[letter] for letter in "NSVFQ"}


def test_pr_gives_sklearns_average_precision_per_class():
    probabilities, labels = predictions(5)
    texts = legend_texts(plot_pr_curve(probabilities, labels, FIVE))
    expected = [average_precision_score(labels == k, probabilities[:, k]) for k in range(5)]
    assert texts == [f"{name}: AP {score:.4f}" for name, score in zip(FIVE, expected, strict=True)]


def test_of_two_classes_abnormal_is_the_positive_one():
    labels = np.array([0, 0, 0, 1, 1])
    abnormal = np.array([0.1, 0.2, 0.6, 0.5, 0.9])  # 5 of the 6 pairs are in order
    probabilities = np.stack([1 - abnormal, abnormal], axis=1)
    assert legend_texts(plot_roc_curve(probabilities, labels, TWO))[1:] == ["Abnormal: AUROC 0.8333"]
    assert legend_texts(plot_pr_curve(probabilities, labels, TWO)) == ["Abnormal: AP 0.8333"]  # (1 + 2/3) / 2


@pytest.mark.parametrize("plot", [plot_roc_curve, plot_pr_curve])
def test_absent_class_is_named_and_has_no_curve(plot):
    probabilities, labels = predictions(5, absent=(3,))
    figure = plot(probabilities, labels, FIVE)
    assert "Fusion: no beats, no curve" in legend_texts(figure)
    assert "Fusion" not in drawn_lines(figure)
    assert "Unknown" in drawn_lines(figure)


@pytest.mark.parametrize("plot", [plot_roc_curve, plot_pr_curve])
def test_the_only_class_has_no_curve(plot):
    probabilities, _ = predictions(5)
    figure = plot(probabilities, np.zeros(len(probabilities), dtype=int), FIVE)
    assert "Normal: the only class, no curve" in legend_texts(figure)
    assert not set(drawn_lines(figure)) & set(FIVE)


@pytest.mark.parametrize("plot", [plot_roc_curve, plot_pr_curve])
def test_no_beats_and_no_finite_scores_do_not_crash(plot, tmp_path):
    assert len(legend_texts(plot(np.empty((0, 5)), np.empty(0, dtype=int), FIVE))) >= 5
    figure = plot(np.full((4, 2), np.nan), np.array([0, 1, 0, 1]), TWO)
    assert "Abnormal: no beats, no curve" in legend_texts(figure)
    save_plot(figure, tmp_path / "nan.png", dpi=30)


def test_one_vs_rest_leaves_out_scores_that_are_not_finite():
    probabilities, labels = predictions(2, n=50)
    probabilities[3] = np.nan
    ((name, scores, positive),) = one_vs_rest(probabilities, labels, TWO)
    kept = np.arange(50) != 3
    assert name == "Abnormal"
    np.testing.assert_array_equal(scores, probabilities[kept, 1])
    np.testing.assert_array_equal(positive, labels[kept] == 1)


def test_one_vs_rest_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(4, 2\), expected \(4, 5\)"):
        one_vs_rest(np.zeros((4, 2)), np.zeros(4), FIVE)


def history(epochs):
    train = [{"epoch": n, "loss": 1 / n, "acc1": 1 - 0.5 / n, "macro_f1": 0.5, "lr": 0.1**n} for n in epochs]
    val = [{"epoch": n, "loss": 2 / n, "acc1": 1 - 0.6 / n, "macro_f1": None if n == 2 else 0.4} for n in epochs]
    return {"train": train, "val": val, "hyperparams": {}}


def test_history_draws_both_splits_over_epochs():
    figures = plot_history(history([1, 2, 3, 4]))
    assert set(figures) == {"loss", "accuracy", "learning_rate"}
    loss = drawn_lines(figures["loss"])
    np.testing.assert_allclose(loss["training"], [[1, 2, 3, 4], [1, 1 / 2, 1 / 3, 1 / 4]])
    np.testing.assert_allclose(loss["validation"], [[1, 2, 3, 4], [2, 1, 2 / 3, 1 / 2]])
    accuracy = drawn_lines(figures["accuracy"])
    assert list(accuracy) == [
        "accuracy, training",
        "accuracy, validation",
        "macro F1, training",
        "macro F1, validation",
    ]
    np.testing.assert_allclose(accuracy["macro F1, validation"], [[1, 3, 4], [0.4] * 3])  # None is left out
    assert figures["accuracy"].axes[0].get_ylim()[1] <= 1.0
    ((_, rate),) = drawn_lines(figures["learning_rate"]).values()
    np.testing.assert_allclose(rate, [1e-1, 1e-2, 1e-3, 1e-4])
    assert figures["learning_rate"].axes[0].get_yscale() == "log"


def test_history_shows_a_diverged_epoch_as_a_gap():
    logged = history([1, 2, 3])
    logged["train"][1]["loss"] = float("nan")
    logged["train"][2]["loss"] = float("inf")
    np.testing.assert_array_equal(drawn_lines(plot_history(logged)["loss"])["training"][1], [1, np.nan, np.nan])


@pytest.mark.parametrize("logged", [{}, {"train": [], "val": []}, history([1]), {"train": [{"epoch": 1}]}])
def test_history_copes_with_missing_pieces(logged, tmp_path):
    for name, figure in plot_history(logged).items():
        assert save_plot(figure, tmp_path / f"{name}.png", dpi=30).stat().st_size > 0


def test_history_ticks_are_whole_epochs():
    ticks = plot_history(history([1, 2]))["loss"].axes[0].get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_saved_png_is_deterministic_unsigned_and_sized(tmp_path):
    first = save_plot(plot_confusion_matrix(COUNTS, FIVE), tmp_path / "made" / "cm.png", dpi=50)
    second = save_plot(plot_confusion_matrix(COUNTS, FIVE), tmp_path / "again.png", dpi=50)
    data = first.read_bytes()
    assert data == second.read_bytes()
    assert not {b"tEXt", b"zTXt", b"iTXt", b"tIME"} & set(png_chunks(data))
    assert int.from_bytes(data[16:20], "big") == 480  # pixels: 9.6 inches
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.png", "made"]


def test_failed_save_keeps_the_old_file(tmp_path):
    class Broken:
        def savefig(self, handle, **_):
            handle.write(b"half")
            raise RuntimeError("disk on fire")

    path = tmp_path / "cm.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="disk on fire"):
        save_plot(Broken(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_draw_the_same_picture(tmp_path):
    probabilities, labels = predictions(5)

    def draw(k):
        return save_plot(plot_roc_curve(probabilities, labels, FIVE), tmp_path / f"{k}.png", dpi=40).read_bytes()

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(draw, range(4)))) == 1


def test_import_is_cheap_and_pyplot_is_never_used():
    program = (
        "import sys, numpy as np, toolbox.plotter as p\n"
        "early = {'matplotlib', 'sklearn', 'torch'} & set(sys.modules)\n"
        "assert not early, early\n"
        "p.plot_confusion_matrix(np.eye(2), ('a', 'b')); p.plot_history({})\n"
        "p.plot_roc_curve(np.eye(2), np.array([0, 1]), ('a', 'b'))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
