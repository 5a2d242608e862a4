"""Entry point: train, resume, test, annotate recordings, score annotations, or prepare.

python commander.py --model-name resnet1d_10 --version bump
python commander.py --test --resume best
python commander.py --predict RECORDING...
python commander.py --score ecg_data/mitdb --test-annotator ecg
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from argparse import Namespace
from typing import Any, NoReturn

from args import FREE_FLAGS, NAME_FLAGS, extract_name, parse_args, run_options
from toolbox.runs.folders import merge_run_options
from toolbox.utils import UserError, os_error_text, torch_advice, tune_process
from toolbox.utils.program import missing_package
from toolbox.utils.signals import Endings, Interrupted


def __getattr__(name: str) -> Any:
    """save_checkpoint and load_checkpoint, where the predecessor had them; they bring torch, so only when asked for."""
    if name in ("save_checkpoint", "load_checkpoint"):
        from toolbox.runs import checkpoint

        return getattr(checkpoint, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Do what the command line `argv` says and return what came of it.

    Raises:
        UserError: a mistake in the flags, the data or the files; SystemExit from the parser for flags alone.
        Interrupted: SIGTERM or Ctrl-C while training; the run is saved and can be gone on with.
    """
    tune_process()
    args = parse_args(argv)
    try:
        return act(args)
    except OSError as error:  # what nobody closer to the file could say more about
        raise UserError(f"{os_error_text(error)}; what was there before is kept") from error
    except ModuleNotFoundError as error:  # a package of an extra, as torch is where the program only annotates
        if advice := missing_package(error):
            raise UserError(advice) from error
        raise
    except RuntimeError as error:
        if told := torch_advice(error):
            raise UserError(told) from error
        raise


def act(args: Namespace) -> dict[str, Any]:
    """Do the one thing that `args` ask for."""
    if args.prepare or args.score:
        from commands.score import prepare, score

        return prepare(args) if args.prepare else score(args)
    if args.predict or args.export:
        from commands.predict import export_model, predict_recordings

        return predict_recordings(args) if args.predict else export_model(args)
    if args.seeds > 1:
        return run_experiment(args)
    from commands.build import find_run
    from commands.test import test_run
    from commands.train import train_run

    if not (args.test or args.resume):
        return train_run(args)
    run = find_run(args)
    args = merge_run_options(args, run, FREE_FLAGS)
    return test_run(args, run) if args.test else train_run(args, run)


def run_experiment(args: Namespace) -> dict[str, Any]:
    """Train several seeds as one experiment, or score them."""
    from commands.seeds import Actions, run_seeds
    from commands.test import test_run
    from commands.train import train_run

    return run_seeds(args, extract_name(args), Actions(train_run, test_run, run_options, NAME_FLAGS, FREE_FLAGS))


def cli() -> int:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold what is no character, as on stderr
    with Endings() as endings:
        try:
            result = main()
        except Interrupted as stop:
            print(stop, file=sys.stderr)
            return stop.code
        except UserError as error:
            if endings.came is None:
                print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
                return 2
        except BaseException:
            if endings.came is None:
                raise
        else:
            return 1 if result.get("failed") else 0
    print(endings.came, file=sys.stderr)
    return endings.came.code


def leave(code: int) -> NoReturn:
    """End the process. After a signal at once: it may have come amid an import of torch's, whose own end then hangs."""
    if code > 128:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    leave(cli())
