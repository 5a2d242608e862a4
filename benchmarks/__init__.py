"""Programs that measure speed and quality, each started as python -m benchmarks.NAME.

The package sets the process up as commander does, before a program imports torch.
"""

from __future__ import annotations

import multiprocessing

from toolbox.utils.process import tune_process

PREDECESSOR = "predecessor"  # the process of benchmarks/reference.py, which has torch's own settings

# A process that is spawned runs the main script, and this, again; by then it knows no more of itself than its name.
if multiprocessing.current_process().name != PREDECESSOR:
    tune_process()
