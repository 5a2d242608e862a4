"""Annotates lines of a CSV file as they come on standard input (--predict -)."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from commands import predict
from inference.lines import annotate_lines


def run(args: Namespace) -> dict[str, Any]:
    """Annotate standard input beat by beat, on standard output."""
    polarity = "keep" if args.polarity == "auto" else args.polarity
    classifier = predict.load_classifier(args)
    return annotate_lines(sys.stdin, sys.stdout, classifier, predict.csv_format(args), args.lead, polarity)
