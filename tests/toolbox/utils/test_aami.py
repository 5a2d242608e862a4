"""toolbox.utils.aami: classes and symbols."""

from __future__ import annotations

from toolbox.utils.aami import (
    BEAT_SYMBOLS,
    CLASS_COLOURS,
    CLASS_DASHES,
    CLASS_LETTERS,
    CLASS_MARKS,
    CLASS_NAMES,
    DARK_COLOURS,
    DE_CHAZAL_CLASSES,
    EC57_CLASSES,
    ESCAPE_SYMBOLS,
    LETTER_SYMBOLS,
    LETTERS,
)


def test_class_names_and_letters() -> None:
    assert CLASS_NAMES == ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")
    assert "".join(LETTERS[name] for name in CLASS_NAMES) == "".join(CLASS_LETTERS) == "NSVFQ"
    assert LETTERS["Abnormal"] == "A"
    assert {letter: LETTER_SYMBOLS[letter] for letter in LETTERS.values()} == dict(zip("NSVFQA", "NSVFQQ", strict=True))


def test_the_maps_give_a_class_to_beats_alone_and_differ_in_escape_beats_alone() -> None:
    assert set(EC57_CLASSES) | set(DE_CHAZAL_CLASSES) == BEAT_SYMBOLS
    assert set(EC57_CLASSES.values()) == set(DE_CHAZAL_CLASSES.values()) == set(range(len(CLASS_NAMES)))
    common = EC57_CLASSES.keys() & DE_CHAZAL_CLASSES.keys()
    assert {symbol for symbol in common if EC57_CLASSES[symbol] != DE_CHAZAL_CLASSES[symbol]} == {"e", "j"}
    assert {symbol: EC57_CLASSES[symbol] for symbol in ESCAPE_SYMBOLS} == {"e": 1, "j": 1, "n": 1}
    assert BEAT_SYMBOLS - DE_CHAZAL_CLASSES.keys() == {"B", "n", "r", "?"}


def test_curves_of_classes_are_told_apart_without_colour() -> None:
    for parts in (CLASS_DASHES, CLASS_MARKS):
        assert parts.keys() == CLASS_COLOURS.keys() == DARK_COLOURS.keys()
        assert len({parts[letter] for letter in "NSVFQ"}) == 5
        assert parts["N"] != parts["A"]  # of two classes


def test_white_letters_can_be_read_on_the_colours_of_classes() -> None:
    for letter, colour in CLASS_COLOURS.items():
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 4.5, letter  # WCAG 2.1, contrast of text
