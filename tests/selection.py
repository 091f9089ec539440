"""Chooses the cases of parametrized tests: a short suite that covers every pair of values, or the full product.

Tests are parametrized with all that they hold for. Of that product, the short suite runs

- of a test with one parameter, every case;
- of a test with more, as few cases as a greedy choice needs to have every pair of values of any two parameters;
- of cases marked ``few(n, of=name)``, which repeat what others show, ``n`` of each name, as different as can be; a test
  marked ``most({value: n})`` has its own numbers, for cases with these values;
- none that is marked ``thorough``.

``--full`` runs all. ``--tenth SEED`` runs, besides the short suite, a tenth of what that leaves out; the seeds 0 to 9
together run everything. A case named on the command line runs whatever else is left out.
"""

import random
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from heapq import heapify, heappop, heapreplace
from itertools import combinations, product
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("selection", "how much of the suite to run")
    group.addoption("--full", action="store_true", help="run every case, not only the short suite")
    group.addoption(
        "--tenth",
        metavar="SEED",
        type=_seed,
        help="run the short suite and a tenth of the other cases; SEED is 0 to 9, or 'any' to draw one",
    )
    group.addoption(
        "--clocks",
        choices=["only", "never"],
        help="run only the tests that look at clocks, or all but those (which may run beside others)",
    )


def _seed(text: str) -> int:
    if text == "any":
        return random.SystemRandom().randrange(10)
    return int(text) % 10


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "clocks: looks at clocks, so nothing else may run beside it",
        "thorough: not part of the short suite",
        "few(n, of): of all cases of a test with this mark and the same `of`, the short suite runs n",
        "most({value: n}): of all cases of this test with this value, the short suite runs n, whatever `few` says",
    ):
        config.addinivalue_line("markers", line)


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.option.full:
        return "selection: every case"
    if config.option.tenth is not None:
        return f"selection: the short suite and a tenth of the rest; again with --tenth {config.option.tenth}"
    return "selection: the short suite; every case with --full"


# --- which cases -----------------------------------------------------------------------------------------------------


def stable(*key: object) -> int:
    """A number that depends on the key alone: not on the process, the machine or the order of the tests."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big")


def covering(rows: Sequence[tuple[int, ...]], key: object = "", strength: int = 2, most: int | None = None) -> set[int]:
    """Numbers of rows that have every combination of ``strength`` values that some row has, or all up to ``most`` rows.

    Takes the row with the most combinations that are not covered yet, again and again; ``key`` settles ties.
    """
    if not rows:
        return set()
    varying = [i for i, values in enumerate(zip(*rows, strict=True)) if len(set(values)) > 1]
    groups = list(combinations(varying, min(strength, len(varying))))
    uncovered = {(group, tuple(row[i] for i in group)) for row in rows for group in groups}

    def gain(number: int) -> int:
        row = rows[number]
        return sum((group, tuple(row[i] for i in group)) in uncovered for group in groups)

    # A gain only ever gets less: one that is still the greatest when looked at again is the greatest of all.
    queue = [(-len(groups), stable(key, row), number) for number, row in enumerate(rows)]
    heapify(queue)
    chosen: set[int] = set()
    while queue and uncovered and (most is None or len(chosen) < most):
        claimed, rank, number = queue[0]
        found = gain(number)
        if found < -claimed:
            heapreplace(queue, (-found, rank, number))
        else:
            heappop(queue)
            chosen.add(number)
            uncovered -= {(group, tuple(rows[number][i] for i in group)) for group in groups}
    while queue and most is not None and len(chosen) < most:
        chosen.add(heappop(queue)[2])
    return chosen


def _few(case: pytest.Function) -> tuple[object, int | None]:
    """The name of those cases of a test of which the short suite runs a few, and how many."""
    if most := case.get_closest_marker("most"):
        for value in case.callspec.params.values():
            if isinstance(value, str) and value in most.args[0]:
                return value, most.args[0][value]
    few = case.get_closest_marker("few")
    return (few.kwargs["of"], few.args[0]) if few else (None, None)


def positions(rows: Sequence[Sequence[str]]) -> list[tuple[int, ...]]:
    """Each value as its number among those of its column, which are sorted: tests may come in any order."""
    numbers: list[dict[str, int]] = [
        {value: number for number, value in enumerate(sorted(set(column)))} for column in zip(*rows, strict=True)
    ]
    return [tuple(column[value] for column, value in zip(numbers, row, strict=True)) for row in rows]


def short(cases: Sequence[pytest.Function]) -> set[int]:
    """Numbers of the cases of one test that the short suite runs."""
    rows = positions([case.callspec._idlist for case in cases])
    key = cases[0].originalname
    groups: dict[object, list[int]] = {}
    most: dict[object, int] = {}
    for number, case in enumerate(cases):
        if case.get_closest_marker("thorough"):
            continue
        group, limit = _few(case)
        groups.setdefault(group, []).append(number)
        if limit is not None:
            most[group] = limit
    chosen: set[int] = set()
    for group, numbers in groups.items():
        own = [rows[number] for number in numbers]
        if group is not None:
            picked = covering(own, (key, group), strength=1, most=most[group])
        elif len(own[0]) > 1:
            picked = covering(own, key)
        else:
            picked = set(range(len(own)))
        chosen |= {numbers[i] for i in picked}
    return chosen


def named(config: pytest.Config) -> set[str]:
    """Cases that the command line names."""
    found = set()
    for argument in config.args:
        test, bracket, case = argument.partition("[")
        if bracket:
            found.add(test.rsplit("::", 1)[-1] + bracket + case)
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = set(items)
    if not config.option.full:
        tests: dict[object, list[pytest.Function]] = {}
        for item in items:
            if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
                tests.setdefault((item.parent, item.originalname), []).append(item)
        explicit = named(config)
        for cases in tests.values():
            chosen = short(cases)
            kept.difference_update(
                case
                for number, case in enumerate(cases)
                if number not in chosen
                and case.name not in explicit
                and stable(case.nodeid) % 10 != config.option.tenth
            )
    if config.option.clocks:
        wanted = config.option.clocks == "only"
        kept = {item for item in kept if (item.get_closest_marker("clocks") is not None) == wanted}
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]
    if hasattr(config, "workerinput"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(group_of(item)))


# Files whose tests run the same kernels.
SAME_KERNELS = {"test_reduction_bits": "test_reductions", "test_sums": "test_reductions"}


def group_of(item: pytest.Item) -> str:
    """What one worker of pytest-xdist runs alone, with ``--dist loadgroup``: a file's tests with Numba, or its others.

    So nothing is compiled by two workers at once, and what a module keeps for its tests is made once.
    """
    file = item.path.stem
    callspec = getattr(item, "callspec", None)
    names = map(str, callspec.params.values()) if callspec else ()
    if any(name.startswith("numba") for name in names):
        return f"{SAME_KERNELS.get(file, file)} with Numba"
    return file


# --- what a test goes through by itself ------------------------------------------------------------------------------


class Some:
    """Fewer rounds of the loops inside a test, chosen by the test's name; every one of them with ``--full``."""

    def __init__(self, key: object = None) -> None:
        self.key = key  # None: every one

    def __call__(self, values: Iterable[T], most: int, *key: object) -> list[T]:
        """At most so many of the values, in their order; another ``key`` chooses others."""
        found = list(values)
        if self.key is None or len(found) <= most:
            return found
        ranked = sorted(range(len(found)), key=lambda number: stable(self.key, key, number))
        return [found[number] for number in sorted(ranked[:most])]

    def pairs(self, *axes: Iterable[Any], key: object = None) -> list[tuple[Any, ...]]:
        """Of the product of the axes, what has every pair of values of any two."""
        values = [list(axis) for axis in axes]
        numbers = list(product(*(range(len(axis)) for axis in values)))
        chosen: Iterable[int] = range(len(numbers))
        if self.key is not None:
            chosen = sorted(covering(numbers, (self.key, key)))
        return [tuple(axis[i] for axis, i in zip(values, numbers[number], strict=True)) for number in chosen]


@pytest.fixture
def some(request: pytest.FixtureRequest) -> Some:
    """What a test that loops over dtypes, sizes and the like asks for fewer of them."""
    if request.config.option.full:
        return Some()
    return Some((request.node.name, request.config.option.tenth))
