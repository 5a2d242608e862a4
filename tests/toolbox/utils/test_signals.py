"""toolbox.utils.signals: signals are noted while a run is trained, and handled as before afterwards."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from toolbox.utils import signals as interrupt
from toolbox.utils.signals import Interrupted, Signals, Timer


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_noted_and_raised_where_it_is_checked(number: int, code: int) -> None:
    before = {each: signal.signal(each, signal.default_int_handler) for each in interrupt.STOPPING}
    try:
        with Signals() as signals:
            signals.check("nothing")
            os.kill(os.getpid(), number)
            assert signals.received == number
            assert signal.getsignal(number) == signal.SIG_DFL  # a second one ends the process
            with pytest.raises(Interrupted, match=r"^SIG\w+: saved after epoch 3; go on by --resume latest$") as caught:
                signals.check("epoch 3")
            assert caught.value.code == code
        assert all(signal.getsignal(each) == signal.default_int_handler for each in interrupt.STOPPING)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.received == 0
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_no_handler_is_touched() -> None:
    before, inside = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with Signals():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


def test_a_timer_is_due_after_its_minutes_and_never_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(interrupt.time, "monotonic", lambda: now[0])
    timer, never = Timer(0.5), Timer(0)
    now[0] = 129.0
    assert not timer.is_due()
    now[0] = 130.0
    assert timer.is_due()
    assert not never.is_due()
    timer.start()
    assert not timer.is_due()
