r"""Tables for papers in LaTeX, with the rules of booktabs: \usepackage{booktabs}."""

from __future__ import annotations

import re
from collections.abc import Sequence

from toolbox.utils import printable

NEEDS = r"% needs \usepackage{booktabs}"  # the first line of each file of tables
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def escaped(text: str) -> str:
    """A text for LaTeX."""
    return "".join(SPECIAL.get(char, f"\\{char}" if char in "&%$#_{}" else char) for char in printable(text))


def latex_table(
    caption: str,
    label: str,
    columns: str,
    head: Sequence[str],
    body: Sequence[Sequence[str]],
    foot: Sequence[Sequence[str]] = (),
    remark: str = "",
) -> str:
    """A table with its caption and label.

    Args:
        caption, head, body, foot: LaTeX already: texts of others are to be `escaped`.
        label: a few words; \\ref finds the table as tab:those-words.
        columns: as tabular takes them, "lrr".
        body, foot: rows of cells; the foot stands below a rule.
        remark: a comment above the table.
    """
    name = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    lines = [f"% {printable(remark)}"] if remark else []
    lines += [r"\begin{table}", rf"\caption{{{caption}}}", rf"\label{{tab:{name}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", _row(head), r"\midrule", *map(_row, body)]
    lines += [r"\midrule", *map(_row, foot)] if foot else []
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
