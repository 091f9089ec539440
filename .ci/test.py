"""Run the suite in two parts: what may share the machine on all CPUs, then the tests that look at clocks, one by one.

python .ci/test.py [pytest's words]     (run by make test; both parts get the words)

Where pytest-xdist is missing, or the words ask for a debugger, one process runs everything.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

MOST_WORKERS = 8  # each imports NumPy, Numba and what they are compared with: about 0.5 GB
NOTHING_COLLECTED = 5
ALONE = {"--pdb", "--trace", "no:xdist", "-pno:xdist", "-s", "--capture=no"}


def cpus() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def with_another_report(words: list[str]) -> list[str]:
    """The words, with ``--junitxml=DIR/NAME.xml`` as ``DIR/NAME-clocks.xml``: one run would overwrite the other's."""
    changed = list(words)
    for i, word in enumerate(words):
        name, equals, path = word.partition("=")
        if name in ("--junitxml", "--junit-xml"):
            place, file = (i, path) if equals else (i + 1, words[i + 1])
            other = str(Path(file).with_stem(Path(file).stem + "-clocks"))
            changed[place] = f"{name}={other}" if equals else other
    return changed


def main(words: list[str]) -> int:
    """Run both parts; the worse of their statuses."""
    # pytest keeps the assertions that it rewrites, which takes seconds, even if nobody wants __pycache__ in the tree.
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(Path(sys.prefix) / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    pytest = [sys.executable, "-m", "pytest"]
    # The same order every time. To run in another: ARGS="-p randomly".
    if "randomly" not in words:
        pytest += ["-p", "no:randomly"]
    if importlib.util.find_spec("xdist") is None or ALONE & set(words):
        return subprocess.run([*pytest, *words], check=False, env=environment).returncode
    workers = ["-n", str(min(cpus(), MOST_WORKERS)), "--dist", "loadgroup"]
    parts = [
        [*pytest, *workers, "--clocks=never", *words],
        [*pytest, "-p", "no:xdist", "--clocks=only", *with_another_report(words)],
    ]
    statuses = []
    for part in parts:
        status = subprocess.run(part, check=False, env=environment).returncode
        if status not in (0, 1, NOTHING_COLLECTED):  # interrupted, or the words are wrong
            return status
        statuses.append(status)
    # No test in one part is as it should be with -k; in both, the words name none.
    return max([status for status in statuses if status != NOTHING_COLLECTED], default=NOTHING_COLLECTED)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
