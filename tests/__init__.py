"""Set the process up before a test imports torch: as commander does, with one thread: others give other bits."""

from __future__ import annotations

import os
import signal

from toolbox.utils.process import tune_process

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch, NumPy and of all processes that tests start
tune_process()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; tests send Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
