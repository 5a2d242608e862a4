"""Everything that is neither data nor architecture. The tables below name what the flags offer; nothing is imported."""

from toolbox.utils import Registry

CRITERIA = Registry(
    "criterion",
    {
        "nll": "toolbox.losses:nll",
        "crossentropy": "toolbox.losses:crossentropy",
        "focal": "toolbox.losses:focal",
        "logitadjusted": "toolbox.losses:logit_adjusted",
        "bce": "toolbox.losses:bce",
        "mse": "toolbox.losses:mse",
        "l1": "toolbox.losses:l1",
    },
)

OPTIMIZERS = Registry(
    "optimizer",
    {"sgd": "toolbox.optimizers:sgd", "adam": "toolbox.optimizers:adam", "adamw": "toolbox.optimizers:adamw"},
)

SCHEDULERS = Registry(
    "scheduler",
    {
        "StepLR": "toolbox.optimizers:step_lr",
        "ExponentialLR": "toolbox.optimizers:exponential_lr",
        "ReduceLROnPlateau": "toolbox.optimizers:reduce_on_plateau",
        "cosine": "toolbox.optimizers:cosine",
        "onecycle": "toolbox.optimizers:onecycle",
    },
)
