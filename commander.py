"""Entry point: train, resume, test, annotate recordings, score annotations, or prepare.

python commander.py --model-name resnet1d_10 --version bump
python commander.py --test --resume best
python commander.py --predict RECORDING...
python commander.py --score ecg_data/mitdb --test-annotator ecg
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from argparse import Namespace
from typing import Any, NoReturn

from args import parse_args
from toolbox.utils import UserError, os_error_text, torch_advice, tune_process
from toolbox.utils.program import missing_package
from toolbox.utils.signals import Endings, Interrupted

COMMANDS = {
    "train": "commands.train:run",
    "test": "commands.test:run",
    "predict": "commands.predict:run",
    "stream": "commands.stream:run",
    "score": "commands.score:run",
    "export": "commands.export:run",
    "prepare": "commands.prepare:run",
    "seeds": "commands.seeds:run",
    "help": "commands.help:run",
    "about": "commands.about:run",
}


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
    argv = sys.argv[1:] if argv is None else argv
    if not argv:
        from commands.help import welcome

        return welcome()
    args = parse_args(argv)
    module, _, function = COMMANDS[command_of(args)].partition(":")
    try:
        return getattr(importlib.import_module(module), function)(args)
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


def command_of(args: Namespace) -> str:
    """The command that the flags ask for: a key of COMMANDS."""
    asked = [name for name in ("help", "about", "prepare", "score", "export", "predict") if getattr(args, name)]
    if asked:
        return "stream" if asked == ["predict"] and args.predict == ["-"] else asked[0]
    return "seeds" if args.seeds > 1 else "test" if args.test else "train"


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
