"""Ends a search: prints its best trials, and writes the comparison page of its runs and a recipe of the winner."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from args import ACTION_FLAGS, FREE_FLAGS
from commands.compare import PLACES, write_files
from commands.index import refresh_index
from commands.sweep_plan import LENGTHS, Plan
from toolbox.logger import Experiment
from toolbox.metrics.epoch import MONITORS
from toolbox.reports.comparison import compare_runs, read_tested
from toolbox.reports.comparison_page import relative_link
from toolbox.reports.html import ABSENT
from toolbox.reports.score_names import name_of
from toolbox.runs.folders import Run
from toolbox.runs.provenance import git_state
from toolbox.search.charts import TEMPLATE, history_chart, importance_chart, parallel_chart
from toolbox.search.places import Place
from toolbox.search.recipe import counted, write_recipe
from toolbox.search.study import SharedStudy
from toolbox.utils import UserError, printable, warn
from toolbox.utils.program import program_words

RunsOf = Callable[[Place], list[Run]]


def write_reports(plan: Plan, study: SharedStudy, folder: Path, runs_of: RunsOf) -> dict[str, Any]:
    """Print the outcome of a search and write its files into `folder`; the result of the command.

    Raises:
        UserError: all of its trials failed, or no run of it is on this machine.
    """
    places = study.places()
    winners = best_places(plan, study, places)
    if not winners:
        raise UserError(f"no trial of {plan.name} is complete: {_states(places)}")
    runs = {place.number: runs_of(place) for place in places}
    passes = validation_passes(runs)
    files, recipes = [], []
    folder.mkdir(parents=True, exist_ok=True)
    for place in winners:
        path = folder / (f"{plan.name}.yaml" if len(winners) == 1 else f"{plan.name}_{place.number}.yaml")
        head = recipe_head(plan, study, place, places, passes, runs[place.number])
        text = write_recipe(path, head, recipe_flags(plan, place))
        recipes.append((f"Recipe of trial {place.number}", shlex.join([*program_words(), "--config", str(path)]), text))
        files.append(path)
    page = write_page(plan, study, folder, places, winners, runs, recipes, passes)
    files += page
    if page:
        refresh_index(folder.parent)
    print(f"{plan.name}: {_states(places)}; validation was looked at {passes:,} times")
    for place in winners:
        print(f"trial {place.number}: {', '.join(_values(plan, place))} by {_params(place.last.params)}")
    print(f"written {', '.join(printable(path) for path in files)}", flush=True)
    return {
        "study": plan.name,
        "trials": len(places),
        "states": {state: sum(place.state == state for place in places) for state in sorted({p.state for p in places})},
        "best": [
            {
                "trial": place.number,
                "values": dict(zip(plan.objectives, place.last.values, strict=True)),
                "params": dict(place.last.params),
                "runs": [run.name for run in runs[place.number]],
            }
            for place in winners
        ],
        "files": [str(path) for path in files],
    }


def best_places(plan: Plan, study: SharedStudy, places: list[Place]) -> list[Place]:
    """The best trial; of several objectives those that no other beats in all (Pareto's front), the best score first."""
    with study.reachable():
        numbers = {trial.number for trial in study.study.best_trials}
    front = [place for place in places if place.last.number in numbers]
    front.sort(key=lambda one: one.last.values[0], reverse=MONITORS[plan.monitor])
    return front if len(plan.objectives) > 1 else front[:1]


def validation_passes(runs: Mapping[int, list[Run]]) -> int:
    """How often the search looked at validation rows: the epochs of all its runs on this machine."""
    return sum(len(_logged(run)["val"]) for each in runs.values() for run in each)


def _logged(run: Run) -> dict[str, Any]:
    path = run.path / "logger.json"
    return Experiment.from_json(path).logged if path.is_file() else {"val": [], "train": []}


def recipe_flags(plan: Plan, place: Place) -> dict[str, Any]:
    """The flags of the recipe of a trial, without those that say what to do and where data and machines are."""
    left_out = ({*ACTION_FLAGS, *FREE_FLAGS, *PLACES} - {*LENGTHS}) | {"name", "tag", "note"}
    return {name: value for name, value in plan.flags(place.last.params).items() if name not in left_out}


def recipe_head(
    plan: Plan, study: SharedStudy, place: Place, places: list[Place], passes: int, runs: list[Run]
) -> list[str]:
    """The lines above a recipe: which search, its seed and commit, and how often validation was looked at."""
    git = (runs[0].config.get("git") if runs else None) or git_state()
    commit = str(git.get("commit") or "unknown")[:12] + (", with changes" if git.get("dirty") else "")
    rows = f"{plan.folds} folds" if plan.folds else "validation"
    chosen = " and on Pareto's front of its objectives" if len(plan.objectives) > 1 else ""
    return [
        f"Trial {place.number} of search {plan.name} over {plan.base}: {', '.join(_values(plan, place))} on {rows}.",
        f"Chosen from {counted(len(places), 'trial')} ({_states(places)}) by that score{chosen}; validation was looked "
        f"at {passes:,} times (once after each epoch of each run), so the score is higher than new rows will give. "
        "Test rows were not looked at.",
        f"Study begun {study.begun[:16].replace('T', ' ')} UTC, seed {plan.seed}, commit {commit}.",
    ]


def write_page(
    plan: Plan, study: SharedStudy, folder: Path, places: list[Place], winners: list[Place],
    runs: Mapping[int, list[Run]], recipes: list[tuple[str, str, str]], passes: int,
) -> list[Path]:  # fmt: skip
    """Write the comparison of the trials' runs, the best first, and above it the search; nothing without a run."""
    complete = [place for place in places if place.state == "complete"]
    complete.sort(key=lambda one: one.last.values[0], reverse=MONITORS[plan.monitor])
    in_order = [*complete, *(place for place in places if place.state == "pruned")]
    tested = [read_tested(runs[place.number][0]) for place in in_order if runs[place.number]]
    if not tested:
        warn("no run of this search is on this machine, so there is no page to write")
        return []
    searched = {one.name for one in plan.space}
    comparison = compare_runs(tested, {*PLACES, *FREE_FLAGS} - searched, sort=None, with_beats=False)
    search = {
        "cards": _cards(plan, places, winners, passes),
        "notes": _notes(plan, places, runs),
        "charts": _charts(plan, study, complete, places),
        "parallel": parallel_chart(
            plan.space, [one.last.params for one in complete], [one.last.values[0] for one in complete],
            MONITORS[plan.monitor], name_of(plan.monitor),
        ),
        "recipes": recipes,
        "head": _head(plan),
        "rows": [_row(plan, place, place in winners, runs[place.number], folder) for place in places],
    }  # fmt: skip
    return write_files(folder, comparison, f"Search {printable(plan.name)}", TEMPLATE, search=search)


def _cards(plan: Plan, places: list[Place], winners: list[Place], passes: int) -> list[tuple[str, str]]:
    best = winners[0]
    rows = f"mean of {plan.folds} folds" if plan.folds else "on validation"
    return [
        (f"{best.last.values[0]:.4f}", f"{name_of(plan.monitor)} of trial {best.number}, {rows}"),
        (f"{len(places)}", f"trials: {_states(places)}"),
        (f"{passes:,}", "looks at validation, none at test rows"),
    ]


def _notes(plan: Plan, places: list[Place], runs: Mapping[int, list[Run]]) -> list[str]:
    notes = []
    if plan.folds:
        notes.append(f"each trial has a run for each of {plan.folds} folds; the runs compared below are of the first")
    if "latency" in plan.objectives:
        notes.append("latency is of the machine that trained a trial: one beat at a time, the median of 100")
    away = [place.number for place in places if place.state in ("complete", "pruned") and not runs[place.number]]
    if away:
        notes.append(f"the runs of trials {', '.join(map(str, away))} are on other machines")
    return notes


def _charts(plan: Plan, study: SharedStudy, complete: list[Place], places: list[Place]) -> list[str]:
    values = {place.number: place.last.values[0] for place in complete}
    pruned = {
        place.number: place.last.intermediate_values[max(place.last.intermediate_values)]
        for place in places
        if place.state == "pruned" and place.last.intermediate_values
    }
    charts = [history_chart(values, pruned, MONITORS[plan.monitor], name_of(plan.monitor), len(places))]
    if shares := importances(plan, study):
        charts.append(importance_chart(shares))
    return charts


def importances(plan: Plan, study: SharedStudy) -> dict[str, float]:
    """The share of the score's variance that each flag explains (fANOVA, Hutter et al. 2014); none of few trials."""
    try:
        with study.reachable(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            shares = get_param_importances(
                study.study,
                evaluator=FanovaImportanceEvaluator(seed=plan.seed),
                target=lambda trial: trial.values[0],
            )
    except (ValueError, RuntimeError):  # all scores are alike, or there is one trial
        return {}
    return {name.replace("_", "-"): float(share) for name, share in shares.items()}


def _head(plan: Plan) -> list[str]:
    names = [one.name.replace("_", "-") for one in plan.space]
    return ["Trial", "State", name_of(plan.monitor), *plan.objectives[1:], *names, "Tries", "Runs"]


def _figure(value: float) -> str:
    """A score, milliseconds or a number of weights with four digits, and no power of ten."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _row(plan: Plan, place: Place, is_best: bool, runs: list[Run], folder: Path) -> dict[str, Any]:
    last = place.last
    values: list[Any] = list(last.values or [])
    if place.state == "pruned" and last.intermediate_values:
        values = [last.intermediate_values[max(last.intermediate_values)]]
    values = [*values, *[None] * len(plan.objectives)][: len(plan.objectives)]
    cells: list[tuple[str, Any]] = [(str(place.number), place.number)]
    state = "given up" if place.state == "pruned" else place.state
    cells.append((f"failed: {place.error}" if place.state == "failed" else state, None))
    cells += [(ABSENT, None) if value is None else (_figure(value), value) for value in values]
    cells += [(shown(last.params.get(one.name)), None) for one in plan.space]
    cells.append((str(len(place.trials)), len(place.trials)))
    links = [(f"fold {run.options['fold']}" if plan.folds else "page", relative_link(run.page, folder)) for run in runs]
    return {"cells": cells, "runs": links, "best": is_best}


def _values(plan: Plan, place: Place) -> list[str]:
    names = [name_of(plan.monitor), *plan.objectives[1:]]
    units = {"latency": " ms", "weights": ""}
    return [
        f"{name} {value:,.0f}" if name == "weights" else f"{name} {value:.4f}{units.get(name, '')}"
        for name, value in zip(names, place.last.values, strict=True)
    ]


def _states(places: list[Place]) -> str:
    words = {"pruned": "given up"}
    states = [place.state for place in places]
    return ", ".join(f"{states.count(state)} {words.get(state, state)}" for state in sorted({*states}))


def _params(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', '-')} {shown(value)}" for name, value in params.items())


def shown(value: Any) -> str:
    """A parameter for people."""
    if value is None:
        return ABSENT
    return f"{value:.4g}" if isinstance(value, float) else str(value)
