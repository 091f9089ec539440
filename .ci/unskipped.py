"""Read the JUnit files of all runs: count, and fail if a test was skipped in every run, or was so on one backend.

Cases are not told apart: which of them the short suite chooses depends on what there is to choose from.

python .ci/unskipped.py FOLDER     (last line: passed failed skipped, as three numbers)
"""

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

Seen = dict[tuple[str, str], list[str]]


BACKEND = re.compile(r"numba-parallel|numba-held|numba|cython-held|cython|python")


def test_of(case: ET.Element) -> tuple[str, str]:
    """The test that a case belongs to, with its backend where it has one."""
    name, bracket, parameters = case.get("name", "").partition("[")
    backend = BACKEND.search(parameters) if bracket else None
    return case.get("classname", ""), f"{name}[{backend[0]}]" if backend else name


def outcome(case: ET.Element) -> str:
    """passed, failed, skipped or xfailed, for one test in one run."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if skipped is None:
        return "passed"
    # An expected failure did run.
    return "xfailed" if skipped.get("type") == "pytest.xfail" else "skipped"


def read(folder: Path) -> tuple[Counter[str], Seen, dict[tuple[str, str], str]]:
    """Counts over all runs, the outcomes of each test, and why it was skipped."""
    counts: Counter[str] = Counter()
    seen: Seen = {}
    reasons: dict[tuple[str, str], str] = {}
    for file in sorted(folder.glob("*.xml")):
        for case in ET.parse(file).iter("testcase"):  # noqa: S314 - written by our own pytest a moment ago
            test = test_of(case)
            result = outcome(case)
            counts[result] += 1
            seen.setdefault(test, []).append(result)
            skipped = case.find("skipped")
            if skipped is not None:
                reasons[test] = skipped.get("message", "")
    return counts, seen, reasons


def never_ran(seen: Seen) -> list[tuple[str, str]]:
    """Tests that were skipped wherever they appear."""
    ran = {module for (module, _), results in seen.items() if set(results) != {"skipped"}}

    def was_collected(module: str) -> bool:
        """Whether a module that was skipped as a whole in one run was run in another."""
        return any(name == module or name.startswith(module + ".") for name in ran)

    skipped = [test for test, results in seen.items() if set(results) == {"skipped"}]
    # A module skipped as a whole is written down as one test without a class.
    return [test for test in skipped if test[0] or not was_collected(test[1])]


def main(folder: Path) -> int:
    """Say which tests never ran, then the totals."""
    counts, seen, reasons = read(folder)
    never = never_ran(seen)
    for test in never:
        print(f"skipped in every run: {'.'.join(filter(None, test))} ({reasons[test]})")
    failed = counts["failed"] + len(never)
    print(counts["passed"] + counts["xfailed"], failed, counts["skipped"])
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
