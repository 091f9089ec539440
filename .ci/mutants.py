"""Plant the faults of mutants.toml in copies of the installed package, one at a time, and say which the tests notice.

python .ci/mutants.py [PATTERN ...] [-- WORDS FOR PYTEST]     (patterns as in a shell, matched anywhere in the names)

Each row of the table replaces one text by another in one file. A row of `src` patches a copy of the package. A row of
`ext` patches a copy of the tree and builds the modules that contain the text for one instruction set, with the flags of
setup.py: a fault in code that gcc vectorises at -O3 would be another fault at -O1. The tests that are likely to notice
run first, then the files that hold them, then all others. The first that fails is run again, alone and without the
fault: if it fails there too, it is left out from then on. A test that hangs or crashes has noticed. Needs gilfree
installed from this very tree, Cython, setuptools and a C compiler; POSIX only.

Exit status: 0 all were killed, 1 some survived, 2 the table or the installation is out of step with the tree.
"""

import argparse
import contextlib
import fnmatch
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".toml")
FAMILIES = ("primes", "reductions", "pixels")
TIMEOUT = 240  # seconds for one test, Numba's compilations included
LONGEST = 7200  # seconds for all of them
USAGE, NO_TESTS, STRANGE = 4, 5, 99  # exit statuses: two of pytest's, and one of RUN
PYTEST = (
    *("-x", "-q", "-rfE", "-p", "no:cacheprovider", "-o", "addopts="),
    *("-o", f"faulthandler_timeout={TIMEOUT}", "-o", "faulthandler_exit_on_timeout=true"),
)

# pytest, as long as gilfree comes from the copy. It is found and not imported: pytest rewrites what plugins it imports.
RUN = f"""
import importlib.util, sys
spec = importlib.util.find_spec("gilfree")
if spec is None or not spec.origin.startswith(sys.argv[1]):
    print("not the copy:", spec)
    sys.exit({STRANGE})
import pytest
sys.exit(pytest.main(sys.argv[2:]))
"""

# Builds some of the modules that setup.py lists: python -c BUILD TARGET TEMPORARY MODULE ...
BUILD = """
import sys, setuptools
from pathlib import Path
from setuptools.dist import Distribution
told = {}
setuptools.setup = lambda **words: told.update(words)
exec(compile(Path("setup.py").read_text(), "setup.py", "exec"), {"__name__": "setup"})
target, temporary, *names = sys.argv[1:]
wanted = [extension for extension in told["ext_modules"] if extension.name in names]
assert len(wanted) == len(names), names
build = told["cmdclass"]["build_ext"](Distribution({"name": "gilfree", "ext_modules": wanted}))
build.build_lib, build.build_temp, build.parallel = target, temporary, 1
build.ensure_finalized()
build.run()
"""


@dataclass(frozen=True)
class Mutant:
    """A row of the table."""

    name: str  # what it breaks
    file: str
    old: str  # occurs once in the file
    new: str
    tests: list[str]  # files of tests/ that should notice
    likely: str | None = None  # pytest's -k for those of their tests that run first
    builds: list[str] = field(default_factory=list)  # families or modules to compile again, where the file is compiled
    isa: str | None = None  # the instruction set that the text belongs to


@dataclass
class Outcome:
    """What became of a mutant."""

    name: str
    file: str
    isa: str | None
    state: str  # killed, survived or skipped
    by: str  # the first test that failed, or why it was skipped
    stage: str  # likely, own or all: which tests it took
    seconds: float


class UnusableError(Exception):
    """The table, the installation or the tests cannot be used: the text says why."""


def read_table(path: Path = TABLE) -> list[Mutant]:
    """The rows; raises if one is stale, that is, its text is not exactly once in its file."""
    rows = [Mutant(**row) for row in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]]
    stale = []
    for row in rows:
        file = ROOT / row.file
        found = file.read_text(encoding="utf-8").count(row.old) if file.is_file() else 0
        if found != 1:
            stale.append(f"stale: {row.name}: its text is {found} times in {row.file}")
        if row.old == row.new:
            stale.append(f"stale: {row.name}: it changes nothing")
        if row.file.startswith("ext/") != bool(row.builds):
            stale.append(f"stale: {row.name}: rows of ext/ say what they build, and no others")
    names = [row.name for row in rows]
    stale += [f"stale: {name}: two rows of this name" for name in sorted({n for n in names if names.count(n) > 1})]
    if stale:
        raise UnusableError("\n".join(stale))
    return rows


def selected(rows: list[Mutant], patterns: Sequence[str]) -> list[Mutant]:
    """The rows whose name contains one of the patterns; all of them where there is none."""
    found = [row for row in rows if not patterns or any(fnmatch.fnmatch(row.name, f"*{each}*") for each in patterns)]
    if not found:
        raise UnusableError(f"no row has a name like {', '.join(patterns)}")
    return found


class Workshop:
    """A temporary folder with the tree, the pristine package, and the copy that is patched."""

    def __init__(self, folder: Path, tests: Path, isa: str, best: str, words: Sequence[str]) -> None:
        self.folder = folder
        self.isa = isa  # of rows that do not say
        self.best = best  # what is used where nobody says
        self.words = words
        self.doubtful: list[str] = []  # pytest's words that leave out tests which fail without any fault
        installed = _installed()
        self.pristine = folder / "pristine"
        self.copy = folder / "copy"
        # What Numba has compiled comes along, in __pycache__: its files are valid while their source has its date.
        shutil.copytree(installed, self.pristine / "gilfree", ignore=shutil.ignore_patterns("*.pyc"))
        for info in installed.parent.glob("gilfree-*.dist-info"):
            shutil.copytree(info, self.pristine / info.name)
        self.tree = folder / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "src", "tests", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, self.tree, ignore=ignored)
        shutil.copytree(tests, self.tree / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        self.files = sorted(f"tests/{path.name}" for path in tests.glob("test_*.py"))

    def judge(self, row: Mutant, *, quick: bool) -> Outcome:
        """Plant one fault and see whether a test fails; ``quick``: one of the row's own files."""
        isa = row.isa or self.isa
        own = [name for name in self.files if name.removeprefix("tests/") in row.tests] or self.files
        others = [name for name in self.files if name not in own]
        stages = [("likely", [*own, "-k", row.likely])] if row.likely else []
        stages += [("own", own)] + ([] if quick or not others else [("all", others)])
        began = time.monotonic()
        self._plant(row)
        for stage, words in stages:
            by = self._first_failure(words, isa, may_be_empty=stage == "likely")
            if by:
                return Outcome(row.name, row.file, row.isa, "killed", by, stage, time.monotonic() - began)
        return Outcome(row.name, row.file, row.isa, "survived", "", stages[-1][0], time.monotonic() - began)

    def _first_failure(self, words: list[str], isa: str, *, may_be_empty: bool) -> str:
        """The first test that fails with the fault and passes without it; nothing if there is none."""
        while True:
            by, test = self._run_tests(self.copy, isa, [*words, *self.doubtful], may_be_empty=may_be_empty)
            if not by:
                return ""
            again, _ = self._run_tests(self.pristine, isa, [test] if test else words, may_be_empty=False)
            if not again:
                return by
            if not test:
                raise UnusableError(f"without any fault: {again}\n{self.text[-3000:]}")
            print(f"left out, as it fails without any fault: {test}", file=sys.stderr, flush=True)
            self.doubtful += ["--deselect", test]

    def _plant(self, row: Mutant) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.pristine, self.copy)
        if not row.file.startswith("ext/"):
            file = self.copy / row.file.removeprefix("src/")
            if "njit" in self._patch(file, row):
                # Numba looks at the date of a function's own file, and not of those it calls.
                for compiled in file.parent.glob("__pycache__/*.nb[ic]"):
                    compiled.unlink()
            return
        kept = self._patch(self.tree / row.file, row)
        try:
            isa = row.isa or self.isa
            modules = [
                f"gilfree.{name}._cython_{isa}" if name in FAMILIES else f"gilfree.{name}" for name in row.builds
            ]
            temporary = self.folder / "build"
            status, text = self._call([sys.executable, "-c", BUILD, self.copy, temporary, *modules], self.tree, {}, 900)
            shutil.rmtree(temporary, ignore_errors=True)
            if status != 0:
                raise UnusableError(f"{row.name}: it does not compile\n{text[-3000:]}")
        finally:
            (self.tree / row.file).write_text(kept, encoding="utf-8")

    @staticmethod
    def _patch(file: Path, row: Mutant) -> str:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(row.old, row.new), encoding="utf-8")
        return text

    def _run_tests(self, package: Path, isa: str, words: Sequence[str], *, may_be_empty: bool) -> tuple[str, str]:
        """What went wrong first, in words, and in which test; nothing if nothing did, and no test if none is known."""
        setting = {"PYTHONPATH": str(package)} | ({} if isa == self.best else {"GILFREE_ISA": isa})
        command = [sys.executable, "-c", RUN, package, *PYTEST, *self.words, *words]
        status, self.text = self._call(command, self.tree, setting, LONGEST)
        if status == 0 or (status == NO_TESTS and may_be_empty):
            return "", ""
        if status in (STRANGE, NO_TESTS, USAGE):
            raise UnusableError(self.text[-3000:])
        found = re.search(r"^(?:FAILED|ERROR) (tests/\S+?::.*?|\S+)(?: - .*)?$", self.text, re.MULTILINE)
        if found:
            return found[1].removeprefix("tests/"), found[1]
        place = re.search(r'File ".*/(test_\w+\.py)", line \d+ in (test_\w+)', self.text)
        test = f"tests/{place[1]}::{place[2]}" if place else ""
        hung = status is None or "Timeout (" in self.text
        return f"{'a hang' if hung else f'a crash with status {status}'} in {test.removeprefix('tests/') or '?'}", test

    @staticmethod
    def _call(
        command: Sequence[str | Path], folder: Path, setting: dict[str, str], seconds: float
    ) -> tuple[int | None, str]:
        """The exit status and what was printed; None after so many seconds. Nothing that it started is left behind."""
        own = ("GILFREE_", "NUMBA_CACHE", "PYTEST_", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(own)} | setting
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            child = subprocess.Popen(
                list(map(str, command)),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            status: int | None
            try:
                status = child.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
                child.send_signal(signal.SIGABRT)  # faulthandler, which pytest switches on, says where it hangs
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(10)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            log.seek(0)
            return status, log.read()


def _installed() -> Path:
    """The folder of the installed package; raises unless its Python is that of the tree."""
    spec = importlib.util.find_spec("gilfree")
    if spec is None or spec.origin is None:
        raise UnusableError("gilfree is not installed for this Python")
    folder = Path(spec.origin).parent
    for source in sorted((ROOT / "src" / "gilfree").rglob("*.py")):
        copy = folder / source.relative_to(ROOT / "src" / "gilfree")
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            raise UnusableError(f"{copy} is not {source}: install this tree first, then plant faults in it")
    return folder


def main() -> int:
    """Judge the rows that were asked for, and print what became of each as soon as it is known."""
    parser = argparse.ArgumentParser(prog="mutants.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="rows whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="print the rows and plant none")
    parser.add_argument("--tests", type=Path, default=ROOT / "tests", metavar="FOLDER", help="judge with other tests")
    parser.add_argument("--isa", metavar="NAME", help="build rows that name no instruction set for this one")
    parser.add_argument("--quick", action="store_true", help="run no tests but those of the row's own files")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes here")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, words = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]
    try:
        rows = selected(read_table(), options.patterns)
        if options.list:
            for row in rows:
                print(f"{row.name}  ({row.file}{', ' + row.isa if row.isa else ''})")
            return 0
        outcomes = _judge_all(rows, options, words)
    except UnusableError as error:
        print(error, file=sys.stderr)
        return 2
    counted = Counter(outcome.state for outcome in outcomes)
    print(", ".join(f"{counted[state]} {state}" for state in ("killed", "survived", "skipped")))
    return 1 if counted["survived"] else 0


def _judge_all(rows: list[Mutant], options: argparse.Namespace, words: list[str]) -> list[Outcome]:
    from gilfree import backends

    usable = backends.isas()
    isa = options.isa or usable[0]
    if isa not in usable:
        raise UnusableError(f"--isa: got {isa}, expected one of {', '.join(usable)} on this machine")
    width = max(len(row.name) for row in rows)
    print(f"{'mutant':<{width}}   seconds   killed by")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="gilfree-mutants-") as folder:
        workshop = Workshop(Path(folder), options.tests.resolve(), isa, usable[0], words)
        for row in rows:
            if row.isa and row.isa not in usable:
                outcome = Outcome(row.name, row.file, row.isa, "skipped", f"needs {row.isa}", "", 0.0)
            else:
                outcome = workshop.judge(row, quick=options.quick)
            outcomes.append(outcome)
            shown = {"survived": "SURVIVED", "skipped": f"skipped: {outcome.by}"}.get(outcome.state, outcome.by)
            print(f"{row.name:<{width}}   {outcome.seconds:7.1f}   {shown}", flush=True)
            if options.json:
                plain: list[dict[str, Any]] = [asdict(each) for each in outcomes]
                options.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return outcomes


def _end(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
