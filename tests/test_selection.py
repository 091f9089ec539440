"""The choice of cases: every pair of values is covered, and what is left out runs one time or another."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import pytest
from selection import Some, covering, positions

pytestmark = pytest.mark.thread_unsafe(reason="each test runs pytest in a folder that it changes to")

WORDS = ("-p", "selection", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider")

EXAMPLE = """
import pytest

@pytest.fixture(params=["first", "second", pytest.param("repeats", marks=pytest.mark.few(2, of="repeats"))])
def backend(request):
    return request.param

@pytest.mark.parametrize("size", range(3))
@pytest.mark.parametrize(("name", "expected"), [("a", 1), ("b", 1), ("c", 2), ("d", 2)])
def test_product(backend, size, name, expected):
    pass

@pytest.mark.parametrize("size", range(3))
def test_of_one_parameter(size):
    pass

@pytest.mark.parametrize("size", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_with_a_costly_case(size):
    pass

@pytest.mark.most({"first": 1, "repeats": 3})
@pytest.mark.parametrize("letter", "abcde")
def test_that_repeats(backend, letter):
    pass

@pytest.mark.clocks
def test_of_time():
    pass
"""


def values_of(name: str) -> tuple[str, ...]:
    """The values of a case of ``test_product``."""
    return tuple(name[:-1].split("[")[1].split("-")) if name.startswith("test_product") else ()


def pairs_of(rows: Sequence[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {(i, j, row[i], row[j]) for row in rows for i, j in combinations(range(len(row)), 2)}


@pytest.mark.parametrize(
    "lengths", [(1, 1), (2, 3), (1, 4, 1), (3, 3, 3), (2, 2, 2, 2, 2), (24, 12, 2, 3), (31, 24, 2)], ids=str
)
def test_every_pair_is_covered(lengths: tuple[int, ...]) -> None:
    rows = list(product(*map(range, lengths)))
    chosen = covering(rows)
    assert pairs_of([rows[i] for i in chosen]) == pairs_of(rows)
    largest = sorted(lengths)[-2:]
    assert len(chosen) <= 1.5 * largest[0] * largest[1] + 3


def test_every_pair_of_what_is_no_product_is_covered() -> None:
    rows = [row for row in product(range(5), range(4), range(3)) if sum(row) % 3]
    chosen = covering(rows)
    assert pairs_of([rows[i] for i in chosen]) == pairs_of(rows)


def test_so_many_as_are_asked_for() -> None:
    rows = list(product(range(4), range(6)))
    chosen = [rows[i] for i in covering(rows, strength=1, most=4)]
    assert len(chosen) == 4
    assert len({row[0] for row in chosen}) == len({row[1] for row in chosen}) == 4  # as different as can be
    assert len(covering(rows, strength=1, most=9)) == 9
    assert len(covering(rows, strength=1, most=30)) == 24
    assert covering([]) == set()


def test_the_choice_depends_on_nothing_but_the_key() -> None:
    rows = list(product(range(6), range(6), range(6)))
    assert covering(rows, "a") == covering(rows, "a")
    assert covering(rows, "a") != covering(rows, "b")
    assert positions([("x", "y"), ("z", "y"), ("x", "w")]) == [(0, 1), (1, 1), (0, 0)]


def test_some() -> None:
    few = Some("a test")
    assert few(range(10), 3) == sorted(few(range(10), 3))
    assert len(few(range(10), 3)) == 3
    assert few(range(3), 3) == [0, 1, 2]
    assert {value for key in range(30) for value in few(range(10), 2, key)} == set(range(10))
    assert len(few.pairs("abc", range(4), range(2))) < 20
    assert {row[:2] for row in few.pairs("abc", range(4), range(2))} == set(product("abc", range(4)))
    every = Some()
    assert every(range(10), 3) == list(range(10))
    assert every.pairs("abc", range(4)) == list(product("abc", range(4)))


def chosen_cases(pytester: pytest.Pytester, *words: str) -> tuple[set[str], int]:
    """The cases that would run, and how many others are said to be left out."""
    result = pytester.runpytest_inprocess(*WORDS, "--collect-only", "-q", *words)
    assert result.ret == 0
    names = {line.split("::")[1] for line in result.outlines if "::" in line}
    return names, result.parseoutcomes().get("deselected", 0)


def test_how_much_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXAMPLE)
    every, none = chosen_cases(pytester, "--full")
    assert len(every) == 3 * 3 * 4 + 3 + 2 + 3 * 5 + 1
    assert none == 0
    suite, left = chosen_cases(pytester)
    assert suite < every
    assert left == len(every) - len(suite)
    assert chosen_cases(pytester) == (suite, left)
    assert {name for name in suite if name.startswith("test_of_one")} == {
        f"test_of_one_parameter[{i}]" for i in range(3)
    }
    assert "test_with_a_costly_case[1]" not in suite
    rows, product_of_all = ([row for row in map(values_of, names) if row] for names in (suite, every))
    assert sum("repeats" in row for row in rows) == 2
    assert pairs_of([row for row in rows if "repeats" not in row]) == pairs_of(
        [row for row in product_of_all if "repeats" not in row]
    )
    repeated = [name for name in suite if name.startswith("test_that_repeats")]
    assert {word: sum(word in name for name in repeated) for word in ("first", "second", "repeats-")} == {
        "first": 1,
        "second": 5,
        "repeats-": 3,
    }
    tenths = [chosen_cases(pytester, "--tenth", str(seed))[0] for seed in range(10)]
    assert set().union(*tenths) == every
    assert all(suite <= tenth for tenth in tenths)
    assert sum(len(tenth - suite) for tenth in tenths) == left


def test_the_seed_is_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXAMPLE)
    result = pytester.runpytest_inprocess(*WORDS, "--tenth", "7")
    result.stdout.fnmatch_lines(["selection: the short suite and a tenth of the rest; again with --tenth 7"])


def test_a_case_that_is_named_runs(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(EXAMPLE)
    suite, _ = chosen_cases(pytester)
    left = sorted(chosen_cases(pytester, "--full")[0] - suite)
    for name in (left[0], left[-1]):
        ran, _ = chosen_cases(pytester, f"{path.name}::{name}")
        assert ran == {name}


def test_clocks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXAMPLE)
    suite, _ = chosen_cases(pytester)
    assert chosen_cases(pytester, "--clocks", "only")[0] == {"test_of_time"}
    assert chosen_cases(pytester, "--clocks", "never")[0] == suite - {"test_of_time"}
