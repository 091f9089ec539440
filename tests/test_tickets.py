"""Tickets: each piece of a range once, with or without the GIL, from any number of threads."""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gilfree import backends
from gilfree._tickets import Tickets

MOST = 2**62


@pytest.mark.parametrize(
    ("stop", "step", "expected"),
    [
        (0, 1, []),
        (1, 1, [(0, 1)]),
        (1, 5, [(0, 1)]),
        (10, 3, [(0, 3), (3, 6), (6, 9), (9, 10)]),
        (9, 3, [(0, 3), (3, 6), (6, 9)]),
        (MOST, MOST, [(0, MOST)]),
        (MOST, MOST - 1, [(0, MOST - 1), (MOST - 1, MOST)]),  # a sum of both passes 2**62
        (5, MOST, [(0, 5)]),
    ],
)
def test_pieces(stop: int, step: int, expected: list[tuple[int, int]]) -> None:
    tickets = Tickets(stop, step)
    assert len(tickets) == len(expected)
    assert list(tickets) == expected
    assert list(tickets) == []  # an iterator is used up
    assert tickets.left == 0
    assert len(tickets) == len(expected)


@given(st.integers(0, 300), st.integers(1, 350))
def test_pieces_cover_the_range(stop: int, step: int) -> None:
    pieces = list(Tickets(stop, step))
    assert [i for first, last in pieces for i in range(first, last)] == list(range(stop))
    assert all(last - first == step for first, last in pieces[:-1])


@given(st.integers(0, MOST), st.integers(1, MOST))
def test_length(stop: int, step: int) -> None:
    tickets = Tickets(stop, step)
    expected = -(-stop // step)
    if expected <= 2**31 - 1:  # more is more than len() can say everywhere
        assert len(tickets) == expected
    assert tickets.left == stop


def test_each_index_once_under_eight_threads() -> None:
    """With no lock but the dispenser's own: whoever is slow or fast, nothing is lost and nothing comes twice."""
    size = 100_003
    tickets = Tickets(size, 7)
    taken = np.zeros(size, np.uint8)
    begin = threading.Barrier(8)

    def work() -> None:
        begin.wait()
        for first, last in tickets:
            taken[first:last] += 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (taken == 1).all()
    assert tickets.left == 0


def test_stop() -> None:
    tickets = Tickets(10, 3)
    assert next(tickets) == (0, 3)
    assert tickets.left == 7
    tickets.stop()
    assert tickets.left == 0
    assert list(tickets) == []
    tickets.stop()
    with pytest.raises(StopIteration):
        next(tickets)


def test_stop_from_another_thread() -> None:
    tickets = Tickets(MOST, 1)
    stopper = threading.Timer(0.05, tickets.stop)
    stopper.start()
    for _ in tickets:  # ends, or the test hangs: by itself it would take a thousand years
        pass
    stopper.join()


def test_asking_an_empty_dispenser_changes_nothing() -> None:
    """``next`` must not creep up: after enough questions it would pass 2**63."""
    tickets = Tickets(10, MOST)
    next(tickets)
    before = np.frombuffer(memoryview(tickets), np.int64).copy()
    for _ in range(100):
        assert next(tickets, None) is None
    np.testing.assert_array_equal(np.frombuffer(memoryview(tickets), np.int64), before)


def test_words() -> None:
    """What compiled loops see."""
    tickets = Tickets(MOST, 5)
    view = memoryview(tickets)
    assert (view.format, view.shape, view.itemsize, view.ndim, view.readonly) == ("q", (3,), 8, 1, False)
    assert view.tolist() == [0, MOST, 5]
    next(tickets)
    assert view.tolist() == [5, MOST, 5]


def test_words_outlive_their_dispenser() -> None:
    view = memoryview(Tickets(10, 3))
    assert view.tolist() == [0, 10, 3]
    assert isinstance(view.obj, Tickets)


@pytest.mark.parametrize("stop", [-1, MOST + 1, 2**63 - 1, 2**63])
def test_stop_out_of_bounds(stop: int) -> None:
    with pytest.raises(ValueError, match=rf"stop: got {stop}, expected 0 <= stop <= 2\*\*62"):
        Tickets(stop, 1)


@pytest.mark.parametrize("step", [0, -1, MOST + 1, 2**63])
def test_step_out_of_bounds(step: int) -> None:
    with pytest.raises(ValueError, match=rf"step: got {step}, expected 1 <= step <= 2\*\*62"):
        Tickets(10, step)


@pytest.mark.parametrize("bounds", [(1.5, 1), (1, 1.0), ("1", 1), (1,), ()], ids=repr)
def test_bounds_are_integers(bounds: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Tickets(*bounds)


@pytest.mark.parametrize("family", ["pixels", "primes"])
def test_compiled_loops_take_each_chunk_once(family: str) -> None:
    """Without the GIL, as fast as processors can: every module has the atomic addition built into loops of its own."""
    if backends.missing("cython"):
        pytest.skip(str(backends.missing("cython")))
    size = 2**22  # 20 ms and more, so that all are at it at once also where two other processes are at work
    tickets = Tickets(size, 1)
    kernels = backends.kernels(family, "cython")
    begin = threading.Barrier(4)
    counts = np.zeros((4, 256), np.uint64)
    sums = np.zeros((4, 1), np.int64)
    pixels, ones = np.zeros(size, np.uint8), np.ones(size, np.uint32)

    def work(number: int) -> None:
        begin.wait()
        if family == "pixels":  # counts each pixel that it takes
            kernels.histogram(pixels, counts[number], tickets, -1, True)
        else:  # adds one for each leaf that it takes
            leaves = ones, ones.view(np.int32), np.ones(2310, np.uint16)
            kernels.ordinary_leaves(1, *leaves, sums[number], tickets, -1, True)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tickets.left == 0
    assert counts.sum() + sums.sum() == size
