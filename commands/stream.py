"""Annotates lines of a CSV file as they come on standard input (--predict -)."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from commands import predict
from inference.lines import annotate_lines, text_lines
from toolbox.utils import UserError


def run(args: Namespace) -> dict[str, Any]:
    """Annotate standard input beat by beat, on standard output."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None:
            raise UserError(f"--predict - reads standard input and writes standard output; standard {name} is closed")
    polarity = "keep" if args.polarity == "auto" else args.polarity
    classifier = predict.load_classifier(args)
    binary = getattr(sys.stdin, "buffer", None)  # whose bytes are read as a file's, not as the locale has it
    lines = sys.stdin if binary is None else text_lines(binary)
    return annotate_lines(lines, sys.stdout, classifier, predict.csv_format(args), args.lead, polarity)
