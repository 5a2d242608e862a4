"""MLflow: runs of an experiment "pytorch-ecg-DATASET", in ROOT/mlflow.db unless MLFLOW_TRACKING_URI says where."""

from __future__ import annotations

import logging
import os
from typing import Any

from mlflow.tracking import MlflowClient

from toolbox.reports.trackers.facts import Memory, RunFacts
from toolbox.reports.trackers.numbers import Numbers

LONGEST = 500  # characters of a parameter
WITHIN = 1000  # steps of an epoch: MLflow's are whole numbers


class MlflowRun(Numbers):
    """A run of MLflow; `NullLogger` documents the methods."""

    def __init__(self, facts: RunFacts, memory: Memory, client: MlflowClient) -> None:
        super().__init__(facts, memory)
        self._client = client

    def _send(self, values: dict[str, float], axis: str, step: float) -> None:
        whole = round(step * WITHIN) if axis == "within" else int(step)
        for name, value in values.items():
            self._client.log_metric(self._memory.id, name, value, step=whole)

    def _summarize(self, values: dict[str, float]) -> None:
        self._send(values, "epoch", self._epoch)

    def _end(self) -> None:
        self._client.set_terminated(self._memory.id)


def build(facts: RunFacts, first_epoch: int | None) -> MlflowRun:
    """The run, opened or taken up again."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it announces each table of a new database
    logging.getLogger("alembic").setLevel(logging.WARNING)
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{facts.root / 'mlflow.db'}"
    client, memory = MlflowClient(tracking_uri=store), Memory(facts, "mlflow")
    if memory.id and _is_there(client, memory.id):
        client.update_run(memory.id, status="RUNNING")
        return MlflowRun(facts, memory, client)
    name = f"pytorch-ecg-{facts.group}"
    experiment = client.get_experiment_by_name(name)
    number = experiment.experiment_id if experiment else client.create_experiment(name)
    tags: dict[str, Any] = {**dict.fromkeys(facts.tags, "yes"), "folder": facts.folder.name}
    tags |= {"mlflow.note.content": "\n\n".join(f"**{head}**\n\n{text}" for head, text in facts.texts.items())}
    run = client.create_run(number, run_name=facts.title, tags=tags).info.run_id
    for key, value in facts.options.items():
        client.log_param(run, key, str(value)[:LONGEST])
    memory.keep(run, 0)
    return MlflowRun(facts, memory, client)


def _is_there(client: MlflowClient, run: str) -> bool:
    try:
        client.get_run(run)
    except Exception:  # the store is another, or was deleted
        return False
    return True
