"""toolbox.reports.tensorboard: events written, then read back with TensorBoard's own reader."""

import copy
import inspect
import io
import logging
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as ServerAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from toolbox.reports.tensorboard import NullLogger, TensorBoardLogger, get_board
from toolbox.utils import UserError

FIVE = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")
TWO = ("Normal", "Abnormal")
EVERYTHING = dict.fromkeys(("scalars", "images", "histograms", "tensors"), 0)  # 0: keep every event


def read(folder):
    events = EventAccumulator(str(folder), size_guidance=EVERYTHING)
    return events.Reload()


def steps(events):
    return [event.step for event in events]


def small_model():
    """Dropout and batch normalisation in training mode, one layer frozen, one gradient there."""
    layers = nn.Sequential(
        nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(2 * 14, 5), nn.BatchNorm1d(5)
    )
    layers[5].eval()
    layers(torch.randn(4, 1, 16)).sum().backward()
    layers[0].bias.grad = None
    return layers


@pytest.fixture
def untouched():
    """Fails when the test's body draws from any global random generator after `untouched()` was called."""
    taken = []

    def states():
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()

    yield lambda: taken.append(states())
    assert taken and states() == taken[0]


def probabilities_of(labels, classes):
    """Every beat called right with 0.6, the rest spread evenly."""
    return np.where(np.eye(classes)[labels] == 1, 0.6, 0.4 / (classes - 1))


def test_off_is_a_null_board_that_does_nothing(tmp_path):
    board = get_board(tmp_path / "tensorboard", enabled=False)
    assert type(board) is NullLogger
    board.scalars("val", {"loss": 1.0}, 1)
    board.learning_rate(0.1, 1)
    board.graph(nn.Identity(), torch.zeros(1))
    board.histograms(nn.Identity(), 1)
    board.pictures("val", None, None, None, TWO, 1)
    board.hparams({}, {})
    board.flush()
    board.close()
    assert not list(tmp_path.iterdir())


def test_off_imports_nothing():
    program = (
        "import sys, pathlib, toolbox.reports.tensorboard as b\n"
        "b.get_board(pathlib.Path('nowhere'), False).scalars('val', {'loss': 1.0}, 1)\n"
        "loaded = {'torch', 'tensorboard', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_both_boards_have_the_same_methods():
    def methods(kind):
        public = inspect.getmembers(kind, inspect.isfunction)
        return {name: inspect.signature(function) for name, function in public if not name.startswith("_")}

    assert methods(TensorBoardLogger) == methods(NullLogger)
    own = {name for name in vars(TensorBoardLogger) if not name.startswith("_")}
    assert own == set(methods(NullLogger))  # nothing is silently inherited as a no-op


def test_missing_package_names_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        get_board(tmp_path, enabled=True)


def test_scalars_are_flattened_and_what_is_no_number_is_left_out(tmp_path, untouched):
    untouched()
    board = get_board(tmp_path, enabled=True)
    scores = {
        "epoch": 2,
        "loss": 0.25,
        "acc1": np.float32(0.5),
        "beats": torch.tensor(7),
        "mAP": None,
        "AUROC": float("nan"),
        "confusion": [[1, 2], [3, 4]],
        "note": "text",
        "per_class": {"Supraventricular ectopic": {"Se": 0.75, "+P": 0.125}, "Fusion": {"Se": None, "support": 0}},
    }
    board.scalars("val", scores, 2)
    board.scalars("train", {"loss": 0.5}, 2)
    board.learning_rate(0.01, 2)
    board.close()
    events = read(tmp_path)
    scalars = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert scalars == {
        "loss/val": [(2, 0.25)],
        "acc1/val": [(2, 0.5)],
        "beats/val": [(2, 7.0)],
        "per_class/Supraventricular_ectopic/Se/val": [(2, 0.75)],
        "per_class/Supraventricular_ectopic/plusP/val": [(2, 0.125)],
        "per_class/Fusion/support/val": [(2, 0.0)],
        "loss/train": [(2, 0.5)],
        "learning_rate": [(2, pytest.approx(0.01))],
    }


def test_graph_is_written_and_the_model_is_as_before(tmp_path, untouched, capfd):
    model = small_model()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    untouched()
    board = get_board(tmp_path, enabled=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        board.graph(model, torch.zeros(2, 1, 16))
    board.close()

    names = {node.name for node in read(tmp_path).Graph().node}
    assert any("Conv1d[0]" in name for name in names)
    assert any("Linear[4]" in name for name in names)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad is None if gradient is None else torch.equal(parameter.grad, gradient)
        assert parameter.requires_grad
    assert capfd.readouterr() == ("", "")


class Packed(nn.Module):
    """A recurrent network over beats of different lengths; the tracer warns about it."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 3, batch_first=True, dropout=0.5, num_layers=2)

    def forward(self, x):
        lengths = (x[:, 0] != 0).sum(dim=1).clamp(min=1)
        packed = pack_padded_sequence(x.transpose(1, 2), lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.lstm(packed)[1][0][-1]


class Untraceable(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.inner, self.error = nn.Dropout(), error

    def forward(self, x):
        self.inner(torch.rand_like(x))
        raise self.error


def test_graph_of_a_packed_sequence_model_neither_warns_nor_stops_the_run(tmp_path, untouched, capfd):
    model = Packed()
    untouched()
    board = get_board(tmp_path, enabled=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        board.graph(model, torch.ones(2, 1, 16))
    board.scalars("train", {"loss": 1.0}, 1)
    board.close()
    assert read(tmp_path).Scalars("loss/train")[0].value == 1.0
    assert model.training and model.lstm.training
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("error", [RuntimeError("cannot trace\nthis"), ValueError("no"), KeyError()])
def test_failed_graph_costs_one_log_line(tmp_path, untouched, capfd, caplog, error):
    model = Untraceable(error)
    untouched()
    board = get_board(tmp_path, enabled=True)
    with caplog.at_level(logging.WARNING):
        board.graph(model, torch.zeros(2, 1, 16))
    board.scalars("val", {"loss": 1.0}, 1)
    board.close()
    assert len(caplog.records) == 1
    assert "\n" not in caplog.messages[0]
    assert model.training and model.inner.training
    assert torch.is_grad_enabled()
    assert capfd.readouterr().out == ""
    assert read(tmp_path).Tags()["scalars"] == ["loss/val"]


def test_histograms_of_weights_and_of_gradients_where_there_are_any(tmp_path, untouched):
    model = small_model()
    untouched()
    board = get_board(tmp_path, enabled=True)
    board.histograms(model, 3)
    board.close()
    events = read(tmp_path)
    tags = set(events.Tags()["histograms"])
    names = {name for name, _ in model.named_parameters()}
    assert tags == {f"weights/{name}" for name in names} | {f"gradients/{name}" for name in names - {"0.bias"}}
    (event,) = events.Histograms("weights/4.weight")
    weight = model[4].weight.detach()
    assert event.step == 3
    assert event.histogram_value.num == weight.numel()
    assert event.histogram_value.sum == pytest.approx(weight.sum().item(), abs=1e-4)
    assert event.histogram_value.min == pytest.approx(weight.min().item())
    (event,) = events.Histograms("gradients/4.weight")
    assert event.histogram_value.max == pytest.approx(model[4].weight.grad.max().item())


def test_histograms_pass_over_empty_and_diverged_tensors(tmp_path):
    model = nn.Module()
    model.empty = nn.Parameter(torch.empty(0))
    model.nan = nn.Parameter(torch.tensor([1.0, float("nan")]))
    model.inf = nn.Parameter(torch.tensor([1.0, float("inf")]))
    model.bf16 = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    model.bf16.grad = torch.full((3,), float("nan"), dtype=torch.bfloat16)
    board = get_board(tmp_path, enabled=True)
    board.histograms(model, 1)
    board.close()
    assert read(tmp_path).Tags()["histograms"] == ["weights/bf16"]


def test_pictures_of_five_classes(tmp_path, untouched):
    labels = np.array([0, 0, 0, 1, 2, 4])
    untouched()
    board = get_board(tmp_path, enabled=True)
    board.pictures("val", np.diag([3, 1, 1, 0, 1]), probabilities_of(labels, 5), labels, FIVE, 4)
    board.close()
    events = read(tmp_path)
    assert sorted(events.Tags()["images"]) == ["confusion/val", "confusion_normalised/val", "roc/val"]
    pictures = {}
    for tag in events.Tags()["images"]:
        (event,) = events.Images(tag)
        pictures[tag] = np.array(Image.open(io.BytesIO(event.encoded_image_string)))
        assert event.step == 4
        assert pictures[tag].shape == (event.height, event.width, 3)
        assert pictures[tag].min() < 50 and pictures[tag].max() == 255  # something is drawn on white
    assert (pictures["confusion/val"] != pictures["confusion_normalised/val"]).any()
    curves = ["Normal", "Supraventricular_ectopic", "Ventricular_ectopic", "Unknown"]  # no beat is a Fusion
    assert sorted(events.Tags()["tensors"]) == sorted(f"pr_curve/{name}/val" for name in curves)
    assert events.SummaryMetadata("pr_curve/Normal/val").plugin_data.plugin_name == "pr_curves"
    (event,) = events.Tensors("pr_curve/Normal/val")
    positives, false, *_, precision, recall = make_ndarray(event.tensor_proto)
    assert (positives[0], false[0], precision[0], recall[0]) == (3, 3, 0.5, 1)  # threshold 0: all are called Normal
    middle = len(positives) // 2  # threshold 0.5: all are called right
    assert (positives[middle], false[middle], precision[middle], recall[middle]) == (3, 0, 1, 1)


def test_pictures_of_two_classes_take_abnormal_as_positive(tmp_path):
    labels = np.array([0, 0, 0, 1])
    board = get_board(tmp_path, enabled=True)
    board.pictures("test", np.diag([3, 1]), probabilities_of(labels, 2), labels, TWO, 1)
    board.close()
    events = read(tmp_path)
    assert events.Tags()["tensors"] == ["pr_curve/Abnormal/test"]
    curve = make_ndarray(events.Tensors("pr_curve/Abnormal/test")[0].tensor_proto)
    assert (curve[0, 0], curve[1, 0]) == (1, 3)  # one abnormal beat, three normal ones


def test_pictures_of_a_diverged_model_do_not_crash(tmp_path):
    labels = np.array([0, 1, 0, 1])
    board = get_board(tmp_path, enabled=True)
    board.pictures("val", np.array([[2, 0], [2, 0]]), np.full((4, 2), np.nan), labels, TWO, 1)
    board.close()
    assert len(read(tmp_path).Tags()["images"]) == 3


def hparams_data(events, part):
    content = events.SummaryMetadata(f"_hparams_/{part}").plugin_data.content
    return getattr(HParamsPluginData.FromString(content), part)


def test_hparams_go_into_the_same_run(tmp_path, untouched):
    untouched()
    board = get_board(tmp_path, enabled=True)
    board.scalars("val", {"loss": 1.0}, 7)
    options = {"lr": 0.5, "epochs": 20, "model_name": "cnn1d_3", "tensorboard": True, "resume": None, "betas": [0.9]}
    board.hparams(options, {"epoch": 5, "acc1": 0.75, "mAP": None, "per_class": {"Normal": {"Se": 1.0}}})
    board.close()
    assert [path.is_file() for path in tmp_path.iterdir()] == [True]  # one file of events, no run below
    events = read(tmp_path)
    start = hparams_data(events, "session_start_info").hparams
    assert (start["lr"].number_value, start["epochs"].number_value) == (0.5, 20)
    assert (start["model_name"].string_value, start["tensorboard"].string_value) == ("cnn1d_3", "True")
    assert start["betas"].string_value == "[0.9]"
    assert "resume" not in start
    metrics = [info.name.tag for info in hparams_data(events, "experiment").metric_infos]
    assert metrics == ["hparam/acc1"]
    assert [(event.step, event.value) for event in events.Scalars("hparam/acc1")] == [(7, 0.75)]


def test_the_network_and_the_main_score_are_the_first_columns(tmp_path):
    board = get_board(tmp_path, enabled=True)
    options = {"model_name": "cnn1d_3", "batch_size": 128, "lr": 0.5}
    planned = ["j_kappa", "acc1", "test_j_kappa"]
    board.hparams(options, {}, planned)  # at the start: a run that is broken off has a row, too
    board.hparams(options, {"acc1": 0.75, "j_kappa": 0.5}, planned)
    board.hparams(options, {"test_j_kappa": 0.25}, planned)
    board.close()
    events = read(tmp_path)
    experiment = hparams_data(events, "experiment")
    # TensorBoard shows those that differ first, then by name (tensorboard.plugins.hparams.backend_context)
    assert [info.name for info in experiment.hparam_infos if info.differs] == ["model_name"]
    assert [info.name.tag for info in experiment.metric_infos] == [f"hparam/{name}" for name in planned]
    values = [events.Scalars(f"hparam/{name}")[-1].value for name in planned]
    assert values == [0.5, 0.75, 0.25]


def test_losses_within_an_epoch_are_a_run_of_their_own_and_resume_without_doubles(tmp_path):
    for first, last, loss in ((1, 2, 1.0), (2, 3, 2.0)):
        board = get_board(tmp_path, enabled=True, first_epoch=first)
        for epoch in range(first, last + 1):
            board.within(epoch, [(0.5, loss), (1.0, loss)])
        board.close()
    points = [(event.step, event.value) for event in read(tmp_path / "within").Scalars("loss/train")]
    assert points == [(500, 1), (1000, 1), (1500, 2), (2000, 2), (2500, 2), (3000, 2)]


def test_texts_are_written_once(tmp_path):
    for first in (1, 2):
        board = get_board(tmp_path, enabled=True, first_epoch=first)
        board.about({"command": "python commander.py --lr 0.5", "note": ""})
        board.close()
    events = read(tmp_path)
    (event,) = events.Tensors("command/text_summary")
    assert make_ndarray(event.tensor_proto).item() == b"python commander.py --lr 0.5"


def test_resume_leaves_no_doubles(tmp_path):
    labels, model = np.array([0, 1, 0, 1]), nn.Linear(2, 2)

    def run(first, last, value):
        board = get_board(tmp_path, enabled=True, first_epoch=first)
        for epoch in range(first, last + 1):
            board.scalars("val", {"loss": value}, epoch)
            board.learning_rate(value, epoch)
            board.histograms(model, epoch)
            board.pictures("val", np.diag([2, 2]), probabilities_of(labels, 2), labels, TWO, epoch)
        board.hparams({"lr": 0.5}, {"acc1": value})
        board.close()

    run(1, 3, 1.0)  # stopped in epoch 4; the last checkpoint is of epoch 2
    run(3, 4, 2.0)
    events = read(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("loss/val")] == [(1, 1), (2, 1), (3, 2), (4, 2)]
    every = [1, 2, 3, 4]
    assert steps(events.Scalars("learning_rate")) == every
    assert steps(events.Histograms("weights/weight")) == every
    assert steps(events.Images("roc/val")) == every
    server = ServerAccumulator(str(tmp_path)).Reload()  # TensorBoard's server; the class above never purges tensors
    assert steps(server.Tensors("pr_curve/Abnormal/val")) == every
    assert [(event.step, event.value) for event in events.Scalars("hparam/acc1")] == [(4, 2)]


def test_flush_brings_events_to_disk(tmp_path):
    board = get_board(tmp_path, enabled=True)
    board.scalars("train", {"loss": 0.5}, 1)
    board.flush()
    assert read(tmp_path).Scalars("loss/train")[0].value == 0.5
    board.close()
