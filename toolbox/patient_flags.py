"""The flags of splits by patient and of what a beat may know, and what about them excludes what."""

from __future__ import annotations

import argparse
from argparse import Namespace

WINDOW_FLAGS = (
    "window_before", "window_after", "window_rate", "leads", "scale", "highpass", "baseline", "spliced"
)  # fmt: skip


def check(args: Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse what makes no sense together; exits with code 2."""
    if args.split == "kfold" and args.fold is None:
        parser.error("--split kfold needs --fold I/K: which of how many groups of patients tests")
    if args.split == "kaggle" and args.fold is not None:
        parser.error("--fold goes with --split kfold, or with interpatient; Kaggle's split knows no patients")
    if args.split.startswith("interpatient") and args.dataset.startswith("synthetic"):
        parser.error(f"--split {args.split} is a list of MIT-BIH's records; take --split kfold for {args.dataset}")
    if args.split != "kaggle" and args.validate_on == "test":
        parser.error("--validate-on test is the predecessor's protocol on Kaggle's split; leave it out")
    asked = [flag for flag in ("split", "context") if getattr(args, flag) != "kaggle"]
    asked += [flag for flag in ("features", "neighbours") if getattr(args, flag)]
    if asked and args.source in ("csv", "gdrive"):
        parser.error(
            f"--source {args.source}: CSV rows tell neither patients nor signals; --{asked[0]} needs raw records "
            "(--source records or physionet, or --records-dir)"
        )
    if args.validate_on == "test" and asked:
        parser.error(f"--validate-on test is for Kaggle's rows as they are; leave out --{asked[0]}")
    _check_training(args, parser)
    if args.seeds > 1:
        if args.prepare or (args.resume and not args.test and args.resume != "latest"):
            parser.error("--seeds goes with training, with --resume latest and with --test")
        if args.version not in (None, "bump", "latest"):
            parser.error(f"--version {args.version} names one run; --seeds takes the newest experiment, or starts one")
    _check_context(args, parser)


def _check_training(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if args.validate_on == "train":
        if args.fold and args.split != "kfold":
            parser.error("--validate-on train holds nobody out; leave out --fold, which says who validates")
        if args.monitor != "last":
            parser.error("--validate-on train: rows that were learned from choose no epoch; add --monitor last")
    if args.spliced != "none" and args.split == "kaggle":
        parser.error(
            "--spliced makes training patients; Kaggle's split has every patient in test, take another --split"
        )
    if args.criterion == "logitadjusted" and args.sampler not in (None, "patients"):
        parser.error("--criterion logitadjusted goes by the classes' shares, which --sampler changes; take one of them")


def _check_context(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if args.context == "kaggle":
        idle = [flag for flag in WINDOW_FLAGS if flag in args.given and getattr(args, flag) != parser.get_default(flag)]
        if idle:
            parser.error(f"--{idle[0].replace('_', '-')} goes with --context window")
        return
    samples = [round(part * args.window_rate) for part in (args.window_before, args.window_after)]
    if samples[1] < 1 or sum(samples) < 16:
        parser.error("--window-before and --window-after: a row of less than 16 samples is no beat")
    if args.progressive < parser.get_default("progressive"):
        parser.error("--progressive reads the start of Kaggle's rows; leave it out with --context window")
    if args.highpass >= args.window_rate / 2:
        parser.error(f"--highpass {args.highpass:g} Hz leaves nothing of {args.window_rate} samples per s")
