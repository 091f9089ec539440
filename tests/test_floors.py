"""The house keeps its floors: imports point down only, and each thing is done in the one file meant for it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import gilfree

PACKAGE = Path(gilfree.__file__).parent
# Without what is compiled: those modules are loaded by name, by `backends` alone, and import nothing of gilfree.
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

FAMILIES = {"primes", "reductions", "pixels"}
# The lowest floor first. What is on one floor are strangers to each other, but for the ground.
FLOORS = [
    {"_bell", "_cpu", "_heartbeat", "_tickets", "arrays", "backends", "interpreter"},
    {"parallel"},
    FAMILIES,
    {"explore"},
    {"cli", "pytest_plugin", "__main__"},
]
GROUND = FLOORS[0]
# Where public functions check what they are given.
FRONT_DOORS = [
    *(f"{family}/__init__.py" for family in sorted(FAMILIES)),
    *(f"pixels/_{room}.py" for room in ("apply", "binarize", "files", "grey", "histograms", "hysteresis", "image")),
    "pixels/_windows.py",
    "reductions/_fold.py",
    "reductions/operators.py",
]


def floor(room: str) -> int:
    """How high a room lies; a room that is in no plan fails the test."""
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def imports(name: str) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it; ``from a import b`` gives both a and a.b."""
    package = ["gilfree", *name.split("/")[:-1]]
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_of(name: str) -> set[str]:
    """The rooms of gilfree that a file imports from."""
    parts = [dotted.split(".") for dotted in imports(name)]
    known = set.union(*FLOORS)
    return {part[1] for part in parts if part[0] == "gilfree" and len(part) > 1 and part[1] in known}


def room(name: str) -> str:
    return name.removesuffix(".py").split("/")[0]


def users(*modules: str) -> set[str]:
    """The files that import one of these modules, or anything in it."""
    return {
        name
        for name in FILES
        for dotted in imports(name)
        if any(dotted == module or dotted.startswith(module + ".") for module in modules)
    }


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__.py"])
def test_imports_point_down(name: str) -> None:
    here = room(name)
    for other in rooms_of(name) - {here}:
        same_ground = here in GROUND and other in GROUND
        same_roof = here == "__main__" and other == "cli"
        assert floor(other) < floor(here) or same_ground or same_roof, f"{name} imports {other}"


def test_the_ground_has_no_circles() -> None:
    """Its files may use each other, but not in a circle."""
    uses = {here: rooms_of(f"{here}.py") & GROUND - {here} for here in GROUND if f"{here}.py" in FILES}
    while uses:
        free = {here for here, others in uses.items() if not others & uses.keys()}
        assert free, f"a circle: {uses}"
        uses = {here: others for here, others in uses.items() if here not in free}


def test_each_file_has_a_floor() -> None:
    assert {room(name) for name in FILES if name != "__init__.py"} <= set.union(*FLOORS)


def test_each_file_says_what_it_is_for() -> None:
    for name in FILES:
        assert ast.get_docstring(tree(name)), name


def test_references_judge_on_their_own() -> None:
    """The plain Python of a family shares no code with what it judges: only the dispenser."""
    for family in FAMILIES:
        own = {dotted for dotted in imports(f"{family}/_python.py") if dotted.startswith("gilfree")}
        assert own <= {"gilfree._tickets", "gilfree._tickets.Tickets"}


def test_who_imports_numba() -> None:
    """Nobody but the kernels that it compiles, which are imported on first use; others ask for it by name."""
    kernels = {f"{family}/_numba.py" for family in FAMILIES}
    assert users("numba") == kernels
    assert users("llvmlite") <= kernels
    assert not any(name.endswith("._numba") for file in FILES for name in imports(file))


@pytest.mark.parametrize("module", ["matplotlib", "rich", "PIL", "threadpoolctl"])
def test_optional_modules_are_imported_on_first_use(module: str) -> None:
    """Inside functions, and by the instruments, the command line and what reads picture files alone."""
    for name in users(module):
        assert room(name) in {"explore", "cli"} or (module, name) == ("PIL", "pixels/_files.py"), name
        outside = [node for node in tree(name).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any(module in ast.unparse(node) for node in outside), name


def test_who_names_threads() -> None:
    """Kernels never know how many threads there are; instruments measure with their own, or in their own process."""
    assert users("threading", "_thread", "concurrent", "multiprocessing", "asyncio", "queue") <= {
        "parallel.py",
        # For the main thread, in which signals are handled.
        "interpreter.py",
        "explore/probe.py",
        "explore/ceiling.py",
        "explore/statement.py",
        # For the type of executor=, never at run time.
        *FRONT_DOORS,
    }
    for name in FRONT_DOORS:
        body = [node for node in tree(name).body if not isinstance(node, ast.If)]
        assert not any("concurrent" in ast.unparse(node) for node in body if isinstance(node, ast.ImportFrom)), name


def calls(name: str) -> set[str]:
    """The dotted names that a file calls or looks at."""
    nodes = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Name | ast.Attribute)]
    return {ast.unparse(node) for node in nodes}


def test_who_prints_and_exits() -> None:
    """Library code raises."""
    for name in FILES:
        if name not in ("cli.py", "__main__.py"):
            found = calls(name) & {"print", "sys.exit", "exit", "quit", "os._exit", "sys.stdout", "SystemExit", "input"}
            assert not found, f"{name}: {found}"
    assert users("argparse", "optparse", "getopt") <= {"cli.py"}


def test_who_reads_the_environment() -> None:
    for name in FILES:
        if name not in ("backends.py", "parallel.py"):
            assert not calls(name) & {"os.environ", "os.getenv", "os.environb", "os.putenv"}, name
