"""Optimizers by name, and loading their state with all its parts checked."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from toolbox.options import OptimizerOptions
from toolbox.utils.optim_startup import without_compiler
from toolbox.utils.registry import check_name

ParamGroups = list[dict[str, Any]]


def sgd(groups: ParamGroups, options: OptimizerOptions) -> Optimizer:
    """Stochastic gradient descent with --momentum."""
    kind = without_compiler(SGD)
    return kind(groups, options.lr, momentum=options.momentum, weight_decay=options.weight_decay, fused=True)


def adam(groups: ParamGroups, options: OptimizerOptions) -> Optimizer:
    """Adam (Kingma & Ba 2015); weight decay is added to the gradient."""
    kind, betas = without_compiler(Adam), tuple(options.betas)
    return kind(groups, options.lr, betas=betas, weight_decay=options.weight_decay, fused=True)


def adamw(groups: ParamGroups, options: OptimizerOptions) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019); weight decay is taken off the weights themselves."""
    kind, betas = without_compiler(AdamW), tuple(options.betas)
    return kind(groups, options.lr, betas=betas, weight_decay=options.weight_decay, fused=True)


OPTIMIZERS: dict[str, Callable[[ParamGroups, OptimizerOptions], Optimizer]] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adamw,
}


def get_optimizer(args: Namespace | OptimizerOptions, model: nn.Module) -> Optimizer:
    """The optimizer `args.optimizer` over the model's parameters.

    Weight decay is for weights: biases and the gains of batch normalisation go without (He et al., CVPR 2019, 3.1).

    Args:
        args: OptimizerOptions, or a namespace that holds the flags of the optimizer.
        model: its parameters are optimized, but for frozen ones.

    Raises:
        UserError: the name is unknown.
    """
    weights = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
    groups: ParamGroups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return OPTIMIZERS[check_name("optimizer", args.optimizer, OPTIMIZERS)](groups, cast(OptimizerOptions, args))


def learning_rate(optimizer: Optimizer) -> float:
    """The learning rate that the next step will take."""
    return float(optimizer.param_groups[0]["lr"])


MOMENTS = {  # the state that each keeps of a parameter; sgd without momentum keeps none
    SGD: ("momentum_buffer",),
    Adam: ("step", "exp_avg", "exp_avg_sq"),
    AdamW: ("step", "exp_avg", "exp_avg_sq"),
}


def load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load the state of an optimizer, which torch's own loading does without a check.

    Raises:
        ValueError: it belongs to another optimizer or to other weights.
    """
    moments = next(names for kind, names in MOMENTS.items() if isinstance(optimizer, kind))
    settings = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for own, group in zip(settings, optimizer.param_groups, strict=True):
        for key, value in own.items():
            if key in group and (not _is_number(group[key]) if key == "lr" else group[key] != value):
                raise ValueError(f"the optimizer's {key} is {group[key]!r}, expected {value!r}")
        for weights in group["params"]:
            _check_moments(optimizer.state.get(weights, {}), moments, weights)
    parameters = [weights for group in optimizer.param_groups for weights in group["params"]]
    if len({bool(optimizer.state.get(weights)) for weights in parameters}) > 1:
        raise ValueError("the optimizer has a state of some weights only")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _check_moments(state: dict[str, Any], names: tuple[str, ...], weights: Tensor) -> None:
    """Raise ValueError unless `state`, if there is one, has the moments `names` in the shape of `weights`."""
    if state and state.keys() != set(names):
        raise ValueError(f"the optimizer keeps {', '.join(map(str, state)) or 'nothing'}, expected {', '.join(names)}")
    for name, part in state.items():
        shape = () if name == "step" else weights.shape
        if not isinstance(part, Tensor) or part.shape != shape or not part.is_floating_point():
            raise ValueError(f"the optimizer's {name} is no tensor of shape {tuple(shape)}")
