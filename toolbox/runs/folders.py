"""Run folders: ROOT/DATASET/runs/NAME, where NAME is a prefix made of the flags and a version number."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, read_json, remove_abandoned, schema_error
from toolbox.utils.options import spelling
from toolbox.utils.program import program_words

LATEST = "checkpoint.pth.tar"
PREVIOUS = "checkpoint_prev.pth.tar"  # the LATEST before this one
BEST = "model_best.pth.tar"
WRITTEN = (".", "res", "pred", "pics")  # folders of a run that files are written to
CONFIG = {  # the parts of a config.json that are read
    "class_names": [str],
    "data": {"fingerprint": str, "source": str, "records?": (dict, type(None))},
    "warnings?": [str],
    "resumed?": list,
    "versions?": dict,
    "git?": dict,
    "threads?": {"number": int},
}


@dataclass(frozen=True)
class Run:
    """A run on disk: its folder and the content of its config.json."""

    path: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def title(self) -> str:
        """The name that --name gave it; else the folder's."""
        return self._label("name") or self.name

    @property
    def tags(self) -> list[str]:
        """The words that --tag gave it."""
        tags = self.options.get("tag")
        return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []

    @property
    def remark(self) -> str:
        """The remark that --note gave it, "" for none."""
        return self._label("note")

    def _label(self, key: str) -> str:
        value = self.options.get(key)  # an edited file may hold anything
        return value if isinstance(value, str) else ""

    @property
    def page(self) -> Path:
        """Its report, written at the end of training and by --test."""
        return self.path / "report.html"

    @property
    def version(self) -> int:
        """The number at the end of the name."""
        return int(self.config["version"])

    @property
    def options(self) -> dict[str, Any]:
        """The flags it was started with."""
        return self.config["options"]

    @property
    def trial(self) -> bool:
        """Whether it was a --short-run, which `latest` passes over."""
        return bool(self.options.get("short_run"))


def read_run(path: Path) -> Run | None:
    """The run in folder `path`; None when it is not one (another folder, or a claim without a config yet)."""
    try:
        run = Run(path, read_json(path / "config.json"))
        return run if isinstance(run.options, dict) and run.version >= 0 and run.config["started"] + "" else None
    except (UserError, ValueError, KeyError, TypeError, OverflowError):
        return None


def run_of_file(path: Path, state: dict[str, Any]) -> Run:
    """The run whose folder the checkpoint `path` lies in; outside a run, one built from its complete `state`."""
    run = read_run(path.parent)
    if run is not None:
        check_config(run)
        return run
    log = state["log"]
    info = log.get("info")
    data = info.get("data") if isinstance(info, dict) else None
    if schema_error(data, CONFIG["data"], "it"):
        data = {"fingerprint": "", "source": "data it does not tell"}
    config = {"name": path.name, "options": log["options"], "class_names": state["class_names"], "data": data}
    return Run(path.parent / path.name.partition(".")[0], config)


def check_config(run: Run) -> None:
    """Raise UserError when the config.json of `run` was damaged or edited, so that it cannot be resumed or tested."""
    if problem := schema_error(run.config, CONFIG, "it"):
        raise UserError(f"{run.path / 'config.json'} is damaged: {problem}")


def runs_without_config(root: str | Path) -> list[Path]:
    """Folders below `root` that hold a best epoch, but no config.json that makes them a run."""
    return sorted(path.parent for path in Path(root).glob("*/runs/*/model_best.pth.tar") if not read_run(path.parent))


def checkpoint_name(which: str | int) -> str:
    """The file of "latest", "best" or epoch N."""
    if which == "latest":
        return LATEST
    return BEST if which == "best" else f"checkpoint_epoch{which}.pth.tar"


def list_runs(root: str | Path, dataset: str | None = None) -> list[Run]:
    """The runs below `root` (of one dataset, if named), oldest first."""
    runs = (read_run(path) for path in Path(root).glob(f"{dataset or '*'}/runs/*") if path.is_dir())
    return by_age(run for run in runs if run is not None)


def by_age(runs: Iterable[Run]) -> list[Run]:
    """Oldest first, by their start; of one name, a later version is the newer one, whatever the clock said."""
    started: dict[str, str] = {}  # name without version -> the latest start of the versions so far
    age = {}
    for run in sorted(runs, key=lambda run: run.version):
        name = run.name.removesuffix(str(run.version))
        started[name] = max(started.get(name, ""), run.config["started"])
        age[run.path] = started[name], name, run.version, run
    return [run for *_, run in sorted(age.values(), key=lambda entry: entry[:3])]


def versions(folder: Path, prefix: str, suffix: str = "") -> list[int]:
    """The versions taken in `folder` between exactly this prefix and suffix, rising."""
    pattern = re.compile(re.escape(prefix) + r"(\d+)" + re.escape(suffix) + "$")
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else iter(())
    return sorted(int(match[1]) for name in names if (match := pattern.match(name)))


def select(runs: Iterable[Run], wanted: dict[str, Any], version: int | None) -> Run:
    """The one run whose flags equal `wanted`: version `version`, or the newest that is no trial.

    Raises:
        UserError: no run fits, or several do; the message names the candidates.
    """
    every = list(runs)
    fitting = [run for run in every if fits(run, wanted)]
    flags = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in wanted.items())
    if version is None:
        complete = [run for run in fitting if not run.trial]
        if complete:
            return complete[-1]
        trials = f" (only trials: {_names(fitting)}; take one by --version N)" if fitting else ""
        raise UserError(f"no run fits {flags or 'yet'}{trials}{_there_are(every) if not fitting else ''}")
    numbered = [run for run in fitting if run.version == version]
    if len(numbered) == 1:
        return numbered[0]
    if numbered:
        raise UserError(f"version {version} could be any of: {_names(numbered)}; name it by more flags")
    have = f"; there are versions of: {_names(fitting)}" if fitting else _there_are(every)
    raise UserError(f"no version {version} fits {flags or 'these flags'}{have}")


def naming_words(run: Run, keys: Iterable[str]) -> list[str]:
    """The flags that name `run`, with as few of the flags `keys` as tell it from the other runs."""
    root = run.path.parents[2]
    runs = list_runs(root)
    words = ["--version", str(run.version)]
    words += [] if root == Path("ecg_data") else ["--root-dir", str(root)]
    wanted: dict[str, Any] = {}
    for key in keys:
        if key not in run.options:  # a run of an older version
            continue
        wanted[key] = value = run.options[key]
        words += [spelling(key), *(value if isinstance(value, list) else ["none" if value is None else str(value)])]
        fitting = [other for other in runs if other.version == run.version]
        if all(other.path == run.path or not fits(other, wanted) for other in fitting):
            break
    return words


def resume_command(run: Run, keys: Iterable[str]) -> str:
    """The command line that resumes `run`, see `naming_words`."""
    return shlex.join([*program_words(), "--resume", "latest", *naming_words(run, keys)])


def flag_words(name: str, value: Any) -> list[str]:
    """A flag as words of a command line; none for an empty list, which cannot be written as one."""
    values = value if isinstance(value, list) else ["none" if value is None else value]
    return [spelling(name), *map(str, values)] if values else []


def remove_after(folder: Path, epoch: int) -> None:
    """Remove the files of epochs after `epoch`, which a run that is resumed there will write anew."""
    patterns = ("checkpoint_epoch*.pth.tar", "res/*_ep*.*", "pred/*_ep*.*")
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        digits = path.name.split(".")[0].rpartition("ep" if path.parent != folder else "epoch")[2]
        if digits.isdigit() and int(digits) > epoch:
            path.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote; not those of a --test at work."""
    for name in WRITTEN:
        remove_abandoned(folder / name, ".*.tmp")


def fits(run: Run, wanted: dict[str, Any]) -> bool:
    """Whether the flags of a run equal those `wanted`; flags that are newer than the run were empty."""
    return all(run.options.get(key, value if not value else None) == value for key, value in wanted.items())


def labelled(runs: Iterable[Run], title: str | None, tags: Iterable[str]) -> list[Run]:
    """Those of the runs that have this name of --name, if one is given, and all of these tags."""
    wanted = set(tags)
    return [run for run in runs if (not title or run.title == title) and wanted <= set(run.tags)]


def _names(runs: list[Run]) -> str:
    return ", ".join(run.name for run in runs[-8:]) + (" ..." if len(runs) > 8 else "")


def _there_are(runs: list[Run]) -> str:
    return f"; there are: {_names(runs)}" if runs else "; there are no runs: train one first"
