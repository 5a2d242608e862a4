"""models: every network of the table, against the published counts and names and against plain torch."""

from __future__ import annotations

from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from args import parse_args
from models import MODELS, get_model, list_models
from models.layers import Conv1d, MaxPool1d
from toolbox.utils import UserError

# name -> parameters at 5 classes. A network that is added goes in here too, with the count that its docstring gives.
PARAMETERS = {
    "cnn1d_3": 4_773,
    "lstm_1": 116_105,
    "lstm_2": 196_905,
    "lstm_3": 277_705,
    "lstm_seq": 4 * 64 * (1 + 64 + 2) + 65 * 5,
    "gru_seq": 3 * 64 * (1 + 64 + 2) + 65 * 5,
    "mlp": 9_365,
    "resnet1d_10": 45_381,
    "resnet1d_18": 87_109,
    "resnet1d_fusion": 76_805,
    "resnet1d_gru": 105_957,
    "resnet1d_lean": 61_221,
    "resnet1d_v2_10": 696_991,
    "resnet1d_v2_18": 1_560_059,
    "resnet1d_wide": 352_709,
}
RESNETS = {
    "resnet1d_10": (1, (32, 32, 32, 32)),
    "resnet1d_18": (2, (32, 32, 32, 32)),
    "resnet1d_v2_10": (1, (32, 64, 128, 254)),
    "resnet1d_v2_18": (2, (32, 64, 128, 254)),
}
SEQUENCES = ("lstm_seq", "gru_seq")
# Parameters that cannot matter: in an LSTM over one step the recurrent weights meet a state of zeros.
IDLE = {f"lstm_{n}": [f"lstm.weight_hh_l{k}" for k in range(n)] for n in (1, 2, 3)}
IDLE["resnet1d_gru"] = ["rnn.weight_hh_l0", "rnn.weight_hh_l0_reverse"]  # one beat is one step too
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.mark.parametrize(
    ("flags", "classes"),
    [
        ([], 5),
        (["--dataset", "ecg_bin"], 2),
        (["--dataset", "synthetic", "--split", "kfold", "--fold", "1/2"], 4),
        (["--dataset", "synthetic_bin", "--split", "kfold", "--fold", "1/2"], 2),
        (["--num-classes", "5"], 5),
    ],
)
def test_the_predecessors_call_makes_a_network_of_the_datasets_classes(flags: list[str], classes: int) -> None:
    model = get_model(parse_args(["--model-name", "cnn1d_3", *flags]))
    assert model(beats(3)).shape == (3, classes)


def make(name: str, classes: int = 5, seed: int = 0, **flags: object) -> nn.Module:
    torch.manual_seed(seed)
    return get_model(Namespace(model_name=name, num_classes=classes, **flags))


def beats(rows: int, length: int = 187, seed: int = 1) -> Tensor:
    return torch.rand(rows, 1, length, generator=torch.Generator().manual_seed(seed))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


@every_model
def test_parameter_count(name: str) -> None:
    assert sum(p.numel() for p in make(name).parameters()) == PARAMETERS[name]


@every_model
@pytest.mark.parametrize("classes", [2, 5])
def test_logits_have_a_column_per_class_and_are_not_normalised(name: str, classes: int) -> None:
    model = make(name, classes).eval()
    with torch.no_grad():
        logits = model(beats(64))
    assert logits.shape == (64, classes)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    for normalised in (logits, logits.exp()):  # neither probabilities nor their logarithms
        assert not torch.allclose(normalised.sum(dim=1), torch.ones(64), atol=1e-3)


@every_model
def test_logits_answer_to_the_last_layer_alone(name: str) -> None:
    """Twice the weights of the last layer, twice the logits: nothing is squashed behind it."""
    model = make(name).eval()
    with torch.no_grad():
        before = model(beats(4))
        model.fc.weight *= 2
        model.fc.bias *= 2
        assert torch.allclose(model(beats(4)), 2 * before, rtol=1e-4, atol=1e-6)


@every_model
def test_gradients_reach_every_parameter(name: str) -> None:
    model = make(name).eval()  # in training, batch normalisation takes the convolutions' biases away
    model(beats(16)).square().sum().backward()
    for key, parameter in model.named_parameters():
        if key in IDLE.get(name, ()):
            assert parameter.grad is None or not parameter.grad.any(), key
            continue
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 1e-8, key


@every_model
def test_a_row_in_eval_mode_does_not_depend_on_its_batch(name: str) -> None:
    model = make(name).eval()
    with torch.no_grad():
        together = model(beats(8))
        alone = torch.cat([model(row[None]) for row in beats(8)])
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5)


@every_model
def test_weights_depend_on_the_seed_and_nothing_else(name: str) -> None:
    first = make(name, seed=3).state_dict()
    for other in ("lstm_1", "resnet1d_10"):
        make(other, seed=8)
    assert same(make(name, seed=3).state_dict(), first)
    assert not same(make(name, seed=4).state_dict(), first)


@every_model
def test_building_a_model_draws_for_that_model_only(name: str) -> None:
    """The predecessor built all its models to take one of them, which moved the generator."""
    through_table = make(name).state_dict()
    state = torch.get_rng_state()
    torch.manual_seed(0)
    direct = MODELS[name](num_classes=5)
    assert same(direct.state_dict(), through_table)
    assert torch.equal(torch.get_rng_state(), state)


@every_model
def test_leads_are_an_argument(name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name](num_classes=3, in_channels=2)
    x = beats(4).expand(4, 2, 187).clone()
    assert model(x).shape == (4, 3)
    model.eval()
    with torch.no_grad():
        other = x.clone()
        other[:, 1] = 1 - other[:, 1]
        assert not torch.allclose(model(x), model(other))  # the second lead is read


@every_model
def test_a_model_learns_two_shapes_apart(name: str) -> None:
    time = torch.linspace(0, 1, 187)
    shape = torch.stack([torch.exp(-(((time - at) / 0.05) ** 2)) for at in (0.3, 0.97)])  # (2, 187)
    y = torch.arange(16) % 2
    x = (shape[y] + 0.02 * beats(16).squeeze(1)).unsqueeze(1)
    model = make(name, classes=2)
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    losses = []
    for _ in range(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.98 * losses[0]


@pytest.mark.parametrize(
    ("alias", "name"),
    [("cnn1d", "cnn1d_3"), ("lstm", "lstm_1"), ("resnet1d", "resnet1d_10"), ("resnet1d_v2", "resnet1d_v2_10")],
)
def test_an_alias_is_the_smallest_of_its_family(alias: str, name: str) -> None:
    assert MODELS.canonical(alias) == name
    assert same(make(alias).state_dict(), make(name).state_dict())


def test_list_models_leaves_aliases_out() -> None:
    assert list_models() == list(MODELS) == list(PARAMETERS)
    assert not set(list_models()) & set(MODELS.aliases)


@pytest.mark.parametrize(("wrong", "meant"), [("cnn1d3", "cnn1d_3"), ("cnn_1d", "cnn1d"), ("lstm_sec", "lstm_seq")])
def test_an_unknown_name_gives_the_nearest(wrong: str, meant: str) -> None:
    with pytest.raises(
        UserError, match=rf"^unknown model '{wrong}', did you mean '{meant}'\? known: cnn1d_3, lstm_1, "
    ):
        make(wrong)


# state_dicts that were trained with the predecessor load here


def block_shapes(at: str, inplanes: int, planes: int, downsample: bool) -> dict[str, tuple[int, ...]]:
    expected = {
        f"{at}.conv1.weight": (planes, inplanes, 5),
        f"{at}.conv1.bias": (planes,),
        f"{at}.conv2.weight": (planes, planes, 5),
        f"{at}.conv2.bias": (planes,),
        **norm_shapes(f"{at}.bn1", planes),
        **norm_shapes(f"{at}.bn2", planes),
    }
    if downsample:
        expected |= {f"{at}.downsample.0.weight": (planes, inplanes, 1), **norm_shapes(f"{at}.downsample.1", planes)}
    return expected


def norm_shapes(at: str, planes: int) -> dict[str, tuple[int, ...]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{at}.{name}": (planes,) for name in names}, f"{at}.num_batches_tracked": ()}


@pytest.mark.parametrize("name", RESNETS)
def test_state_dict_of_the_residual_networks(name: str) -> None:
    blocks, planes = RESNETS[name]
    expected = {"conv1.weight": (planes[0], 1, 5), **norm_shapes("bn1", planes[0])}
    inplanes = planes[0]
    for stage, width in enumerate(planes, start=1):
        for block in range(blocks):
            expected |= block_shapes(f"layer{stage}.{block}", inplanes, width, block == 0 and stage > 1)
            inplanes = width
    expected |= {"fc.weight": (5, planes[3]), "fc.bias": (5,)}
    assert shapes(make(name)) == expected


def test_state_dict_of_the_small_networks() -> None:
    assert shapes(make("cnn1d_3")) == {
        "conv1.weight": (8, 1, 7),
        "conv1.bias": (8,),
        "conv2.weight": (32, 8, 7),
        "conv2.bias": (32,),
        "fc.weight": (5, 576),
        "fc.bias": (5,),
    }


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_state_dict_of_the_lstms(layers: int) -> None:
    expected: dict[str, tuple[int, ...]] = {"fc.weight": (5, 100), "fc.bias": (5,)}
    for layer in range(layers):
        expected |= {
            f"lstm.weight_ih_l{layer}": (400, 100 if layer else 187),
            f"lstm.weight_hh_l{layer}": (400, 100),
            f"lstm.bias_ih_l{layer}": (400,),
            f"lstm.bias_hh_l{layer}": (400,),
        }
    assert shapes(make(f"lstm_{layers}")) == expected


@every_model
def test_weights_of_convolutions_have_three_axes(name: str) -> None:
    for key, module in make(name).named_modules():
        if isinstance(module, nn.modules.conv._ConvNd):
            assert isinstance(module, nn.Conv1d), key
            assert module.weight.dim() == 3, key


# the same networks written with torch's own one-dimensional layers


class Block(nn.Module):
    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inplanes, planes, 5, stride, 2)
        self.bn1 = nn.BatchNorm1d(planes)
        self.conv2 = nn.Conv1d(planes, planes, 5, 1, 2)
        self.bn2 = nn.BatchNorm1d(planes)
        if stride > 1 or inplanes != planes:
            self.downsample = nn.Sequential(nn.Conv1d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm1d(planes))

    def forward(self, x: Tensor) -> Tensor:
        skip = self.downsample(x) if hasattr(self, "downsample") else x
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + skip)


def plain_resnet(name: str) -> nn.Module:
    blocks, planes = RESNETS[name]
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv1d(1, planes[0], 5, padding=2, bias=False),
        bn1=nn.BatchNorm1d(planes[0]),
        relu=nn.ReLU(),
        maxpool=nn.MaxPool1d(3, 2, 1),
    )
    inplanes = planes[0]
    for stage, width in enumerate(planes, start=1):
        first = Block(inplanes, width, 1 if stage == 1 else 2)
        parts[f"layer{stage}"] = nn.Sequential(first, *(Block(width, width, 1) for _ in range(blocks - 1)))
        inplanes = width
    parts |= {"avgpool": nn.AdaptiveAvgPool1d(1), "flatten": nn.Flatten(), "fc": nn.Linear(planes[3], 5)}
    return nn.Sequential(parts)


def plain_cnn() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv1d(1, 8, 7),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool1d(3),
            conv2=nn.Conv1d(8, 32, 7),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool1d(3),
            flatten=nn.Flatten(),
            fc=nn.Linear(576, 5),
        )
    )


PLAIN: dict[str, Callable[[], nn.Module]] = {
    "cnn1d_3": plain_cnn,
    **{name: lambda name=name: plain_resnet(name) for name in RESNETS},  # type: ignore[misc]
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_networks_equal_those_of_plain_layers(name: str, training: bool) -> None:
    """In double precision: in single, gradients of 18 layers over six rows depend on the order of their sums."""
    own, plain = make(name).double().train(training), PLAIN[name]().double().train(training)
    weights = own.state_dict()
    if not training:  # running statistics other than 0 and 1
        generator = torch.Generator().manual_seed(5)
        for key, value in weights.items():
            if key.endswith(("running_mean", "running_var")):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    plain.load_state_dict(weights)
    x = beats(6).double()
    logits, expected = own(x), plain(x)
    assert torch.allclose(logits, expected, rtol=1e-9, atol=1e-9)
    for out in (logits, expected):
        nn.functional.cross_entropy(out, torch.arange(6) % 5).backward()
    gradients = dict(plain.named_parameters())
    for key, parameter in own.named_parameters():
        assert torch.allclose(parameter.grad, gradients[key].grad, rtol=1e-6, atol=1e-9), key
    after = plain.state_dict()
    for key, value in own.state_dict().items():  # the statistics moved alike
        assert torch.allclose(value.double(), after[key].double(), rtol=1e-9, atol=1e-9), key


@pytest.mark.parametrize("layers", [1, 2])
def test_the_lstm_reads_the_beat_as_one_step(layers: int) -> None:
    model = make(f"lstm_{layers}").eval()
    plain = nn.LSTM(187, 100, layers)
    plain.load_state_dict({key.removeprefix("lstm."): v for key, v in model.state_dict().items() if "lstm" in key})
    x = beats(4)
    with torch.no_grad():
        hidden = plain(x.squeeze(1)[None])[0][0]  # (1 step, B, 187) -> (B, 100)
        assert torch.allclose(model(x), hidden @ model.fc.weight.T + model.fc.bias, atol=1e-6)


# masking


def padded(length: int, total: int) -> Tensor:
    x = torch.zeros(3, 1, total)
    x[..., :length] = 0.1 + 0.9 * beats(3, length)
    return x


@pytest.mark.parametrize("name", SEQUENCES)
def test_masked_logits_do_not_depend_on_the_padding(name: str) -> None:
    model = make(name, masking=True).eval()
    with torch.no_grad():
        shortest = model(padded(60, 60))
        for total in (61, 100, 187):
            assert torch.allclose(model(padded(60, total)), shortest, atol=1e-6)


@pytest.mark.parametrize("name", SEQUENCES)
def test_without_masking_the_padding_is_read(name: str) -> None:
    model = make(name, masking=False).eval()
    with torch.no_grad():
        assert not torch.allclose(model(padded(60, 187)), model(padded(60, 60)), atol=1e-4)
        full = beats(3)
        assert torch.allclose(model(full), make(name, masking=True).eval()(full), atol=1e-6)  # nothing to mask


@pytest.mark.parametrize("name", SEQUENCES)
def test_rows_of_different_lengths_are_masked_each_at_its_own(name: str) -> None:
    model = make(name, masking=True).eval()
    lengths = (187, 20, 90, 1)
    x = torch.cat([padded(length, 187)[:1] for length in lengths])
    with torch.no_grad():
        together = model(x)
        for row, length in enumerate(lengths):
            assert torch.allclose(together[row], model(x[row : row + 1, :, :length])[0], atol=1e-6)


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_row_of_zeros_is_masked_without_harm(name: str) -> None:
    model = make(name, masking=True).eval()
    with torch.no_grad():
        logits = model(torch.zeros(2, 1, 187))
        assert torch.allclose(logits, model(torch.zeros(2, 1, 1)), atol=1e-6)  # read as a single sample


@pytest.mark.parametrize("name", SEQUENCES)
def test_masking_changes_no_weights(name: str) -> None:
    assert same(make(name, masking=True).state_dict(), make(name, masking=False).state_dict())


@pytest.mark.parametrize("name", [name for name in MODELS if name not in SEQUENCES])
def test_masking_is_refused_where_it_would_do_nothing(name: str) -> None:
    with pytest.raises(UserError, match=rf"--masking does nothing for {name}.*: {', '.join(SEQUENCES)}$"):
        make(name, masking=True)


CONVOLUTIONAL = [name for name in MODELS if any(isinstance(part, Conv1d) for part in make(name).modules())]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("samples", [187, 100])
def test_convolutions_run_with_channels_last(name: str, samples: int) -> None:
    """In the other layout everything is right too, and half as fast; so it has to be looked at."""
    model = make(name, progressive=samples) if name != "cnn1d_3" else make(name)
    seen = []
    for part in model.modules():
        if isinstance(part, Conv1d):
            part.register_forward_hook(lambda _, ins, out: seen.extend([ins[0].stride(1), out.stride(1)]))
    model(beats(4)[:, :, : samples if name != "cnn1d_3" else 187])
    assert seen and set(seen) == {1}


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (3, 3, 0), (2, 2, 0), (5, 1, 2), (4, 3, 1)])
@pytest.mark.parametrize("samples", [5, 17, 94, 187])
def test_pooling_without_gradients_is_the_same(kernel: int, stride: int, padding: int, samples: int) -> None:
    x = torch.randn(3, 8, 1, samples).contiguous(memory_format=torch.channels_last)
    pool = MaxPool1d(kernel, stride, padding)
    with torch.inference_mode():
        quick = pool(x)
    assert torch.equal(quick, pool(x))
    assert quick.stride(1) == 1


# rows of other shapes, and features beside them

WITH_FEATURES = ("mlp", "resnet1d_fusion", "resnet1d_gru")


@every_model
@pytest.mark.parametrize("shape", [{"in_channels": 2, "length": 120}, {"length": 480}])
def test_windows_of_any_length_and_leads_are_read(name: str, shape: dict[str, int]) -> None:
    torch.manual_seed(0)
    model = get_model(Namespace(model_name=name, num_classes=4), **shape)
    assert model(torch.rand(3, shape.get("in_channels", 1), shape["length"])).shape == (3, 4)


@pytest.mark.parametrize("name", WITH_FEATURES)
@pytest.mark.parametrize("count", [1, 5])
def test_features_of_every_beat_are_read(name: str, count: int) -> None:
    torch.manual_seed(0)
    model = get_model(Namespace(model_name=name, num_classes=4), 2 * count, 120, features=6, beats=count).eval()
    x, features = torch.rand(3, 2 * count, 120), torch.randn(3, 6 * count, requires_grad=True)
    logits = model(x, features)
    assert logits.shape == (3, 4)
    logits.square().sum().backward()
    assert features.grad is not None and (features.grad.view(3, count, 6).abs().amax(dim=(0, 2)) > 0).all()
    with torch.no_grad():
        assert torch.allclose(model(x), model(x, torch.zeros(3, 6 * count)))  # nothing known is zeros


@pytest.mark.parametrize("name", WITH_FEATURES)
def test_gradients_reach_every_parameter_with_features_and_neighbours(name: str) -> None:
    torch.manual_seed(0)
    model = get_model(Namespace(model_name=name, num_classes=4), 3, 120, features=6, beats=3).eval()
    model(torch.rand(16, 3, 120), torch.randn(16, 18)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 1e-8 for p in model.parameters())


def test_a_sequence_of_beats_is_read_in_its_order() -> None:
    """The same beats the other way round give another answer, though each is read by the same network."""
    torch.manual_seed(0)
    model = get_model(Namespace(model_name="resnet1d_gru", num_classes=4), 3, 120, beats=3).eval()
    x = torch.rand(2, 3, 120)
    with torch.no_grad():
        assert not torch.allclose(model(x), model(x.flip(1)), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITH_FEATURES])
def test_features_are_refused_where_they_would_do_nothing(name: str) -> None:
    with pytest.raises(UserError, match=rf"--features: {name} reads the row alone.*: {', '.join(WITH_FEATURES)}$"):
        get_model(Namespace(model_name=name, num_classes=4), features=6)
