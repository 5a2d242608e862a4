# PYTHON_ARGCOMPLETE_OK
"""The command `pytorch-ecg`, also `python -m pytorch_ecg`: the same flags as `python commander.py`."""

from pytorch_ecg.commander import cli, leave


def run() -> None:
    """Run the command line and end the process with its exit code."""
    leave(cli())


if __name__ == "__main__":
    run()
