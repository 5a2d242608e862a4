"""Programs that measure speed and quality, each started as python -m benchmarks.NAME.

The package sets the process up as commander does, before a program imports torch.
"""

from __future__ import annotations

import multiprocessing

from toolbox.utils.process import tune_process

if multiprocessing.parent_process() is None:  # benchmarks/reference.py measures torch's own settings in a child
    tune_process()
