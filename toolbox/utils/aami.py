"""Domain facts that loaders, models and toolbox share: classes of beats, WFDB symbols, the shape of Kaggle's rows.

Classes are numbered 0 to 4 everywhere, in the order of CLASS_NAMES.
"""

from __future__ import annotations

KAGGLE_ROW = 187  # samples of a row of Kaggle's "ECG Heartbeat Categorization Dataset": 1.56 s at 120 Hz

LEARNING_PERIOD = 300.0  # s at the start of a recording that EC57 does not score
MATCH_WINDOW = 0.15  # s that two annotations of the same beat may lie apart (EC57)

# The five classes of ANSI/AAMI EC57, and the one of everything but Normal in a dataset of two classes.
NORMAL, SUPRAVENTRICULAR, VENTRICULAR = "Normal", "Supraventricular ectopic", "Ventricular ectopic"
FUSION, UNKNOWN, ABNORMAL = "Fusion", "Unknown", "Abnormal"
CLASS_NAMES = (NORMAL, SUPRAVENTRICULAR, VENTRICULAR, FUSION, UNKNOWN)
CLASS_LETTERS = ("N", "S", "V", "F", "Q")
# The classes that networks tell apart, by their number: all, those of splits by patient, and of a dataset of two.
CLASS_SETS = {5: CLASS_NAMES, 4: CLASS_NAMES[:4], 2: (NORMAL, ABNORMAL)}
LETTERS = {**dict(zip(CLASS_NAMES, CLASS_LETTERS, strict=True)), ABNORMAL: "A"}  # class name -> letter
# Letter -> the WFDB symbol of a beat that a network called so; WFDB has no symbol for "abnormal".
LETTER_SYMBOLS = {**{letter: letter for letter in CLASS_LETTERS}, "A": "Q"}

# Letter -> colour, wherever classes are shown: after Okabe & Ito (2008), to be told apart in colour blindness, and dark
# enough for white letters; normal beats stay grey.
CLASS_COLOURS = {"N": "#6b6b6b", "S": "#0072b2", "V": "#c1440e", "F": "#8e44ad", "Q": "#00735c", "A": "#c1440e"}
# The same on a dark page; and the dashes and marks of their curves, so that no colour is needed.
DARK_COLOURS = {"N": "#b0b7bd", "S": "#56b4e9", "V": "#ff8f5e", "F": "#cf95e8", "Q": "#3cc5a4", "A": "#ff8f5e"}
CLASS_DASHES = {"N": "", "S": "7 3", "V": "2 2.5", "F": "9 3 2 3", "Q": "5 2 1 2 1 2", "A": "7 3"}  # as SVG has them
CLASS_MARKS = {"N": "triangle", "S": "round", "V": "square", "F": "diamond", "Q": "cross", "A": "square"}

# WFDB's symbols of a QRS complex (ecgcodes.h, isqrs).
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
ESCAPE_SYMBOLS = ("e", "j", "n")  # atrial, nodal and supraventricular escape beats: the two maps below differ here
# WFDB symbol -> class as de Chazal et al. map MIT-BIH's symbols (IEEE TBME 51(7), 2004): escape beats e and j are N.
DE_CHAZAL_CLASSES = {
    **dict.fromkeys("NLRej", 0),
    **dict.fromkeys("AaJS", 1),
    **dict.fromkeys("VE", 2),
    "F": 3,
    **dict.fromkeys("/fQ", 4),
}
# WFDB symbol -> class as EC57 has it and WFDB's bxb carries it out: escape beats are S.
EC57_CLASSES = {
    **dict.fromkeys("NLRB", 0),
    **dict.fromkeys("AaJSejn", 1),
    **dict.fromkeys("VEr", 2),
    "F": 3,
    **dict.fromkeys("/fQ?", 4),
}

# Classes by dataset. Where --split goes by patient, Q is left out, as the papers do.
NUM_CLASSES = {"ecg": 5, "ecg_bin": 2, "synthetic": 5, "synthetic_bin": 2}
CLASSES_BY_PATIENT = {"ecg": 4, "ecg_bin": 2, "synthetic": 4, "synthetic_bin": 2}


def classes_of(dataset: str, split: str = "kaggle") -> int:
    """The number of classes of a dataset under a split."""
    return (NUM_CLASSES if split == "kaggle" else CLASSES_BY_PATIENT)[dataset]
