"""--adapt: beats that are alike decide together, lone ones that are sure stay; every way in gives the same classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import commander
from args import parse_args
from inference import annotate, load_classifier
from inference.adapt import FEWEST, PIECE, adapted, squashed
from inference.classifier import adaptation_of, scaling_of
from inference.options import LIVE, ONE_LEAD, PRETRAINED, TWO_LEAD
from inference.pretrained import facts_of
from inference.torch_classifier import TorchClassifier
from models import get_model
from tests.conftest import SMALL
from tests.made import small_record, write_format
from toolbox.utils import UserError, read_json
from toolbox.utils.aami import CLASS_NAMES

NAMES = CLASS_NAMES[:4]
RECIPES = {TWO_LEAD: "two_lead", ONE_LEAD: "one_lead", LIVE: "live_any_lead"}


def two_shapes(beats: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,) of N with every fifth beat a V of another shape; features (n, 6); probabilities (n, 4) of a network
    that takes every tenth of either for an S, at 0.6."""
    rng = np.random.default_rng(1)
    labels = np.where(np.arange(beats) % 5 == 0, 2, 0)
    features = rng.normal(0, 0.3, (beats, 6)).astype(np.float32)
    features[labels == 2] += 1.5
    probabilities = np.full((beats, 4), 0.02, dtype=np.float32)
    probabilities[np.arange(beats), labels] = 0.94
    wrong = np.arange(beats) % 10 == np.arange(beats) // 10 % 10
    probabilities[wrong] = [0.2, 0.6, 0.15, 0.05]
    return labels, features, probabilities


@pytest.mark.parametrize("method", ["votes", "smooth"])
@pytest.mark.parametrize("beats", [400, 2 * PIECE + 100])
def test_beats_that_are_alike_outvote_single_errors(method: str, beats: int) -> None:
    labels, features, probabilities = two_shapes(beats)
    assert (probabilities.argmax(axis=1) != labels).mean() == 0.1
    result = adapted(probabilities, features, NAMES, method)
    assert (result.argmax(axis=1) == labels).all()
    assert result.dtype == np.float32 and np.allclose(result.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(result, adapted(probabilities, features, NAMES, method))


def test_a_beat_without_company_is_outvoted_unless_the_network_is_sure() -> None:
    features = np.random.default_rng(0).normal(0, 0.5, (400, 52)).astype(np.float32)  # too far apart for the kernel
    probabilities = np.full((400, 4), [0.9, 0.05, 0.03, 0.02], dtype=np.float32)
    probabilities[201], probabilities[301] = [0.05, 0.9, 0.03, 0.02], [0.35, 0.6, 0.03, 0.02]
    assert adapted(probabilities, features, NAMES, "smooth").argmax(axis=1).nonzero()[0].tolist() == [201, 301]
    assert adapted(probabilities, features, NAMES, "votes").argmax(axis=1).nonzero()[0].tolist() == [201]


def test_a_short_strip_is_not_voted_on() -> None:
    _, features, probabilities = two_shapes(FEWEST - 1)
    assert np.array_equal(
        adapted(probabilities, features, NAMES, "votes"), adapted(probabilities, features, NAMES, "smooth")
    )
    far = 2 * np.sign(np.random.default_rng(0).normal(size=(12, 52))).astype(np.float32)
    assert np.allclose(adapted(probabilities[:12], far, NAMES, "votes"), probabilities[:12], atol=1e-6)
    assert adapted(probabilities[:0], features[:0], NAMES, "votes").shape == (0, 4)
    assert adapted(probabilities, features, NAMES, "none") is probabilities


def test_features_are_squashed_as_the_network_does() -> None:
    given = squashed(np.array([[1.0, 30.0]]), np.array([1.0, 10.0]), np.array([2.0, 10.0]))
    assert np.allclose(given, [[0.0, 2 * np.tanh(1.0)]]) and given.dtype == np.float32


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--adapt votes", "compares features of beats, and there are none"),
        ("--config interpatient --model-name resnet1d_gru", "resnet1d_gru does not; add --adapt none"),
        ("--predict - --fs 250 --adapt votes", "--adapt votes needs the whole recording"),
        ("--predict x --live --adapt smooth", "--adapt smooth needs the whole recording"),
        ("--adapt most", "invalid choice"),
    ],
)
def test_where_it_means_nothing_it_is_refused(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_args(line.split())
    assert said in capsys.readouterr().err


DEFAULTS = {
    "interpatient": "votes", "two_lead": "votes", "one_lead": "smooth", "live": "none", "live_any_lead": "none",
}  # fmt: skip


@pytest.mark.parametrize("recipe", DEFAULTS)
def test_recipes_of_whole_recordings_adapt_and_those_of_streams_do_not(recipe: str) -> None:
    expected = DEFAULTS[recipe]
    assert parse_args(["--config", recipe]).adapt == expected
    assert parse_args(["--config", recipe, "--adapt", "none"]).adapt == "none"


@pytest.mark.parametrize("engine", ["torch", "onnx"])
@pytest.mark.parametrize("name", PRETRAINED)
def test_shipped_networks_are_read_as_their_recipes_are(name: str, engine: str) -> None:
    network = load_classifier(name, engine=engine)
    assert adaptation_of(network) == facts_of(name)["adapt"] == DEFAULTS[RECIPES[name]]
    assert adaptation_of(network, "none") == "none" and adaptation_of(network, "votes") == "votes"
    ours, same = scaling_of(network), scaling_of(load_classifier(name))
    assert ours is not None and same is not None
    assert np.allclose(ours.center, same.center) and np.allclose(ours.spread, same.spread)


def test_a_network_without_features_is_refused() -> None:
    model = get_model(type("Args", (), {"model_name": "cnn1d_3", "num_classes": 5})())
    classifier = TorchClassifier(model, CLASS_NAMES, "a network", "cpu")  # type: ignore[arg-type]
    assert adaptation_of(classifier) == "none"
    with pytest.raises(UserError, match="--adapt votes compares beats by the features"):
        adaptation_of(classifier, "votes")


def test_test_predict_export_and_python_adapt_alike(tmp_path: Path) -> None:
    start = [
        *("--dataset", "synthetic", *SMALL, "--split", "kfold", "--fold", "1/3", "--context", "window"),
        *("--features", "rr", "tempo", "--model-name", "mlp", "--epochs", "1", "--lr", "0.003"),
    ]
    root = ["--root-dir", str(tmp_path)]
    run = Path(commander.main([*start, *root, "--adapt", "votes"])["run"])
    assert read_json(run / "config.json")["options"]["adapt"] == "votes"
    scores = {flag: commander.main([*root, "--test", *flag.split()])["test"] for flag in ("", "--adapt none")}
    assert scores[""]["confusion"] != scores["--adapt none"]["confusion"]
    assert scores[""]["loss"] == scores["--adapt none"]["loss"]
    commander.main([*root, "--export"])
    header = write_format(tmp_path, "r", small_record().digital, "16")
    tables = {
        "torch": annotate(header, classifier=load_classifier(run)),
        "onnx": annotate(header, classifier=load_classifier(run, engine="onnx")),
        "asked": annotate(header, classifier=load_classifier(run), adapt="votes"),
        "none": annotate(header, classifier=load_classifier(run), adapt="none"),
    }
    columns = [f"p_{letter}" for letter in "NSVF"]
    expected = tables["torch"][columns].to_numpy()
    assert np.allclose(tables["onnx"][columns], expected, atol=1e-4)
    assert np.array_equal(tables["asked"][columns], expected)
    assert np.abs(tables["none"][columns].to_numpy() - expected).max() > 0.01
    fingerprints = []
    for flags in ([], ["--adapt", "none"]):
        commander.main([*root, "--predict", str(header), *flags, "--out", str(tmp_path / "out")])
        summary = read_json(tmp_path / "out" / "r.ecg.json")
        fingerprints.append(summary["fingerprint"])
        assert summary["model"]["adapt"] == ("none" if flags else "votes")
        assert (f"--adapt {summary['model']['adapt']}" in (tmp_path / "out" / "r.ecg.html").read_text()) == (not flags)
    assert fingerprints[0] != fingerprints[1]
