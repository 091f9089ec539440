"""The bell that workers and their callers wait for: no ring is lost, awake or asleep."""

import threading
import time

import pytest

from gilfree._bell import Bell
from gilfree._tickets import Tickets


def test_it_stays_rung_until_it_is_silenced() -> None:
    bell = Bell()
    assert not bell.is_rung()
    assert bell.ring()
    assert not bell.ring()  # somebody did
    for _ in range(2):
        assert bell.is_rung()
        assert bell.wait()
    bell.silence()
    assert not bell.is_rung()
    assert not bell.wait(0)
    assert not bell.wait(0.01)
    bell.ring()
    assert bell.wait(10)


@pytest.mark.parametrize("asleep", [False, True])
def test_a_ring_from_another_thread(asleep: bool) -> None:
    bell, waits = Bell(), threading.Event()
    heard: list[bool] = []

    def wait() -> None:
        waits.set()
        heard.append(bell.wait(60))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(60)
    if asleep:
        time.sleep(0.05)
    bell.ring()
    thread.join(60)
    assert heard == [True]
    assert bell.wait(0)


def test_no_ring_is_lost() -> None:
    """Two threads ring each other 20 000 times, sometimes late, so that the other has fallen asleep, or just does."""
    ping, pong = Bell(), Bell()
    missed: list[int] = []

    def answer() -> None:
        for i in range(20_000):
            if not ping.wait(60):
                missed.append(i)
                return
            ping.silence()
            if i % 50 == 0:
                time.sleep(i / 50 * 1e-7)
            pong.ring()

    thread = threading.Thread(target=answer)
    thread.start()
    for i in range(20_000):
        ping.ring()
        if i % 70 == 0:
            time.sleep(i / 70 * 1e-7)
        if not pong.wait(60):
            missed.append(i)
            break
        pong.silence()
    thread.join(60)
    assert not missed


def test_a_bell_is_rung_by_who_waits_for_another() -> None:
    one, other = Bell(), Bell()

    def answer() -> None:
        if one.wait(60):
            other.ring()

    thread = threading.Thread(target=answer)
    thread.start()
    assert other.wait(60, one)
    thread.join(60)


def test_tickets_are_waited_for_but_not_for_long() -> None:
    """They spare the one that was rung the wait for the GIL; that none is taken may not keep it."""
    for taken in (0, 1):
        bell, tickets = Bell(), Tickets(3, 1)
        for _ in range(taken):
            next(tickets)
        bell.ring(tickets)
        assert bell.wait(60)
    bell.ring(Tickets(1, 1))  # kept alive by the bell
    assert bell.wait(60)


def test_many_who_ring() -> None:
    """Of eight that ring again and again, all are done before the last ring is waited for."""
    bell, done = Bell(), threading.Barrier(9)

    def ring() -> None:
        for _ in range(2000):
            bell.ring()
        done.wait(60)

    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    heard = 0
    while any(thread.is_alive() for thread in threads) and done.n_waiting < 8:
        heard += bell.wait(0.001)
        bell.silence()
    done.wait(60)
    for thread in threads:
        thread.join(60)
    assert heard >= 1 or bell.is_rung()
    bell.silence()
    assert not bell.wait(0)
    bell.ring()
    assert bell.wait(0)


@pytest.mark.parametrize("timeout", ["long", [1]])
def test_timeouts_of_another_type(timeout: object) -> None:
    with pytest.raises(TypeError):
        Bell().wait(timeout)  # type: ignore[arg-type]
