# PYTHON_ARGCOMPLETE_OK
"""Entry point: reads the flags, runs the command that they ask for, and turns errors into exit codes.

python commander.py                                        what it does, examples, what to do next
python commander.py --model-name resnet1d_10               train
python commander.py --test                                 score the test split
python commander.py --predict RECORDING...                 annotate recordings
python commander.py --score ecg_data/mitdb                 score annotations beat by beat
python commander.py --sweep recipes/sweep.yaml             search for the best flags
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
from toolbox.utils import UserError, os_error_text, printable, torch_advice, tune_process
from toolbox.utils.colour import coloured
from toolbox.utils.process import check_alone
from toolbox.utils.program import missing_package
from toolbox.utils.signals import Endings, Interrupted

COMMANDS = {
    "train": "commands.train:run",
    "test": "commands.test:run",
    "predict": "commands.predict:run",
    "stream": "commands.stream:run",
    "score": "commands.score:run",
    "compare": "commands.compare:run",
    "edit": "commands.edit:run",
    "export": "commands.export:run",
    "prepare": "commands.prepare:run",
    "seeds": "commands.seeds:run",
    "sweep": "commands.sweep:run",
    "help": "commands.help:run",
    "about": "commands.about:run",
}
# Commands that processes of one job share, or may each carry out.
SHARED = ("train", "predict", "prepare", "score", "help", "about")


def __getattr__(name: str) -> Any:
    """save_checkpoint and load_checkpoint, where the predecessor had them; they bring torch, so only when asked for."""
    if name in ("save_checkpoint", "load_checkpoint"):
        from toolbox.runs import checkpoint

        return getattr(checkpoint, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Run a command line and return its result.

    Raises:
        UserError: a mistake in the flags, the data or the files; SystemExit from the parser for flags alone.
        Interrupted: SIGTERM or Ctrl-C while training; the run is saved and can be resumed.
    """
    tune_process()
    argv = sys.argv[1:] if argv is None else argv
    try:
        return run_command(argv)
    except BrokenPipeError:  # nobody reads the output any more, as behind `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        return {}
    except OSError as error:  # of a file that no other message names
        raise UserError(f"{os_error_text(error)}; what was there before is kept") from error
    except MemoryError as error:
        raise UserError(
            "memory is full; close other programs, or try a smaller --batch-size; files are kept"
        ) from error
    except ModuleNotFoundError as error:  # a package of an extra, as torch is where the program only annotates
        if advice := missing_package(error):
            raise UserError(advice) from error
        raise
    except RuntimeError as error:
        if advice := torch_advice(error):
            raise UserError(advice) from error
        raise


def run_command(argv: list[str]) -> dict[str, Any]:
    """Run the command that the flags in `argv` ask for; without any, say what there is."""
    if not argv:
        from commands.help import welcome

        return welcome()
    args = parse_args(argv)
    command = command_of(args)
    if command not in SHARED:
        check_alone({"train": "training", "stream": "--predict -"}.get(command, f"--{command}"))
    module, _, function = COMMANDS[command].partition(":")
    result: dict[str, Any] = getattr(importlib.import_module(module), function)(args)
    return result


def command_of(args: Namespace) -> str:
    """The command that the flags ask for: a key of COMMANDS."""
    names = ("help", "about", "sweep", "prepare", "score", "edit", "export", "predict")
    asked = [name for name in names if getattr(args, name)]
    if args.list or args.compare is not None:
        return "compare"
    if asked:
        return "stream" if asked == ["predict"] and args.predict == ["-"] else asked[0]
    return "seeds" if args.seeds > 1 else "test" if args.test else "train"


def cli() -> int:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what completes the line
        from commands.completion import complete

        complete()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold bytes that are no characters
    with Endings() as endings:
        try:
            result = main()
        except Interrupted as stop:
            print(printable(stop), file=sys.stderr)
            return stop.code
        except UserError as error:
            if endings.came is None:
                print(f"{coloured('error:', 'red', sys.stderr)} {printable(error)}", file=sys.stderr)
                return 2
        except BaseException:
            if endings.came is None:
                raise
        else:
            return 1 if result.get("failed") else 0
    print(printable(endings.came), file=sys.stderr)
    return endings.came.code


def leave(code: int) -> NoReturn:
    """End the process. After a signal at once: an interrupted import of torch may hang at the normal end."""
    if code > 128:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    leave(cli())
