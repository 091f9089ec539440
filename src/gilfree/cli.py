"""Words on the command line → calls; the only file that prints or exits."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from gilfree import backends
from gilfree.pixels._binarize import METHODS

__all__ = ["main"]

DONE, HELD, FAILED, BAD_ARGUMENTS, DISAGREE, INCONCLUSIVE, INTERRUPTED = 0, 1, 1, 2, 3, 3, 130
HERE = "-"
# Seconds for a kernel's rounds and for one probe, and rounds at least: for a look; for up to FEW kernels, in a minute
# with what Numba compiles; for all of them, in four.
EFFORTS = {"quick": (1.0, 0.2, 3), "few": (8.0, 0.3, 5), "many": (4.0, 0.2, 5)}
FEW = 3
# The same words as gilfree.explore.probe.VERDICTS, which nobody has to wait for who does not probe.
VERDICTS = ("releases", "partial", "holds", "holds-blocked", "yields", "no-gil", "inconclusive")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.command(options))
    except (ValueError, TypeError, OSError, ModuleNotFoundError, SyntaxError) as error:
        print(f"gilfree: {_plain(error)}", file=sys.stderr)
        return BAD_ARGUMENTS
    except KeyboardInterrupt as stop:
        written = getattr(stop, "__notes__", None) or ["nothing was written"]
        print(f"gilfree: interrupted, {written[0]}", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gilfree", description="What does the GIL cost, and who lets go of it?")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    bench = commands.add_parser(
        "bench",
        help="measure how kernels scale on threads, holding the GIL and releasing it",
        description="Strong scaling of one kernel of each family (or all, or those named) on every backend, beside the"
        " machine's own ceilings.",
        epilog="Exit status: 0 done, 2 bad arguments, 3 two backends gave different answers.",
    )
    bench.set_defaults(command=_bench)
    bench.add_argument("--threads", type=_counts, metavar="N,N,…", help="numbers of threads (default: 1, 2, 4, … CPUs)")
    chosen = bench.add_mutually_exclusive_group()
    chosen.add_argument("--kernel", type=_words, action="extend", metavar="NAME,…", help="kernels or families")
    chosen.add_argument("--all", action="store_true", help="every kernel: four minutes")
    bench.add_argument("--backend", type=_words, action="extend", metavar="NAME,…", help=", ".join(backends.BACKENDS))
    bench.add_argument("--size", type=_size, metavar="N", help="elements, numbers or pixels instead of the usual size")
    bench.add_argument("--quick", action="store_true", help="a fraction of the time: a look, not a measurement")
    bench.add_argument("--image", metavar="FILE", help="run the pixel kernels on this picture")
    bench.add_argument("--array", metavar="FILE.npy", help="run the other kernels on this array")
    bench.add_argument(
        "--json", nargs="?", const=HERE, metavar="FILE",
        help="write the data to FILE, or print it if none is named (default: results/<date>-<python>.json)",
    )  # fmt: skip
    plot = bench.add_mutually_exclusive_group()
    plot.add_argument(
        "--plot", metavar="FILE", type=_picture, help="draw to FILE.png or FILE.svg (default: both, beside the data)"
    )
    plot.add_argument("--no-plot", action="store_true", help="draw nothing")

    probe = commands.add_parser(
        "probe",
        help="does a statement let go of the GIL? a verdict with its evidence",
        description="Find out whether statements let go of the GIL, and how other threads fare while they run. Each is"
        " run many times in a fresh Python of its own.",
        epilog="A statement that is one call of plain names, such as f(x, y), is called directly. Exit status: 0 lets"
        " go (releases or partial), or there is no GIL; 1 holds or yields, or with --expect, any other class; 2 bad"
        " usage, or the statement failed; 3 inconclusive.",
    )
    probe.set_defaults(command=_probe)
    probe.add_argument(
        "statement",
        nargs="+",
        metavar="STATEMENT",
        help="a statement, or package.module:function (called without arguments)",
    )
    probe.add_argument(
        "-s", "--setup", action="append", default=[], metavar="STATEMENT", help="run once before; may be given again"
    )
    probe.add_argument(
        "--expect",
        type=_verdicts,
        metavar="CLASS,…",
        help="succeed if all verdicts are among these: " + ", ".join(VERDICTS),
    )
    probe.add_argument("--time", type=float, metavar="SECONDS", help="to spend on each statement (default: 1)")
    probe.add_argument(
        "--interval", type=float, metavar="SECONDS", help="mean time between two knocks on the GIL (default: 0.001)"
    )
    probe.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="stop a statement after this time (default: 60)"
    )
    probe.add_argument(
        "--json", nargs="?", const=HERE, metavar="FILE", help="write the data to FILE, or print it if none is named"
    )
    probe.add_argument(
        "--plot", metavar="FILE", type=_picture, help="draw how long other threads wait, to FILE.png or FILE.svg"
    )

    binarize = commands.add_parser(
        "binarize",
        help="make pictures black and white: files, and all that is in folders",
        description="Make pictures black and white, several at a time. Reads PNG, JPEG, TIFF, WebP and BMP.",
        epilog=f"Methods: {', '.join(METHODS)}. Exit status: 0 done, 1 some pictures failed (they are listed), 2 bad"
        " arguments, 130 interrupted (no file is half-written).",
    )
    binarize.set_defaults(command=_binarize)
    binarize.add_argument("sources", nargs="+", metavar="IN", help="a file, or a folder to search with those in it")
    binarize.add_argument("-o", "--output", required=True, metavar="OUT", help="the folder for the results")
    binarize.add_argument("--method", default="otsu", metavar="NAME", help="how to choose (default: otsu); see below")
    binarize.add_argument("--value", type=float, metavar="N", help="this threshold instead of a method's")
    binarize.add_argument("--window-size", type=int, metavar="N", help="of methods that look around each pixel")
    binarize.add_argument("--k", type=float, metavar="X", help="how far such a method goes by the contrast")
    binarize.add_argument(
        "--set", type=_option, action="append", default=[], metavar="NAME=VALUE", help="any other option of the method"
    )
    binarize.add_argument("--invert", action="store_true", help="white for black and black for white")
    binarize.add_argument("--format", choices=("png", "tiff", "webp"), help="of the results (default: png)")
    binarize.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    binarize.add_argument(
        "--before-after", metavar="SHEET", help="draw the first pictures before and after to SHEET.png"
    )
    binarize.add_argument("--threads", type=int, metavar="N", help="pictures at a time (default: one for each CPU)")
    binarize.add_argument("--backend", metavar="NAME", help=", ".join(backends.BACKENDS))
    binarize.add_argument("--quiet", action="store_true", help="say nothing but what failed")

    info = commands.add_parser("info", help="this Python, this CPU, and each backend: there or why not")
    info.set_defaults(command=_info)
    info.add_argument("--json", action="store_true", help="as JSON")
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked for it."""

    def __call__(self, *_: Any) -> None:
        import gilfree

        print(f"gilfree {gilfree.__version__}")
        sys.exit(DONE)


def _verdicts(text: str) -> list[str]:
    words = _words(text)
    if not words or not set(words) <= set(VERDICTS):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected some of {', '.join(VERDICTS)}")
    return words


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _counts(text: str) -> list[int]:
    counts = [int(word) for word in text.split(",") if word]
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected positive integers and commas")
    return counts


def _size(text: str) -> int:
    size = float(text)  # 1e7 is what people type
    if not size.is_integer() or size < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive integer")
    return int(size)


def _option(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"got {text!r}, expected NAME=VALUE")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".png", ".svg"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a name that ends in .png or .svg")
    return path


def _plain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


# --- gilfree bench ---------------------------------------------------------------------------------------------------


def _bench(options: argparse.Namespace) -> int:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"the benchmark needs {error.name}: pip install 'gilfree[bench]'") from error
    from gilfree.explore import plot, record, scaling, workloads

    if options.threads:
        from gilfree.parallel import check_threads

        for count in options.threads:
            check_threads(count)
    for name in options.backend or ():
        backends.resolve(name)
    kernels = options.kernel
    if kernels is None and not options.all and options.image is None and options.array is None:
        kernels = list(workloads.HEADLINES)
    jobs = workloads.workloads(kernels, options.size, options.image, options.array)
    seconds, probing, rounds = EFFORTS["quick" if options.quick else "few" if len(jobs) <= FEW else "many"]
    if not options.no_plot:
        _require("matplotlib", "the picture", ", or ask for --no-plot")

    # The table is what is asked for; what moves meanwhile goes to the other stream.
    console, moving = Console(), Console(stderr=True)
    if not console.is_terminal:
        console.width = 100  # a file has no width: cut nothing short
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=moving, transient=True, disable=not moving.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)
        try:
            run = scaling.measure(
                jobs,
                options.backend,
                options.threads,
                seconds=seconds,
                probing=probing,
                rounds=rounds,
                progress=lambda doing, share: bar.update(task, description=doing, completed=share),
            )
        except scaling.DisagreementError as error:
            print(f"gilfree: {error}", file=sys.stderr)
            return DISAGREE

    if options.json == HERE:
        print(json.dumps(run.to_dict(), indent=1))
    else:
        _show(run, console)
    data = Path(options.json) if options.json not in (None, HERE) else record.default_path()
    written = [] if options.json == HERE else [data]
    if written:
        record.save(run, data)
    if not options.no_plot:
        pictures = [options.plot] if options.plot else [data.with_suffix(".png"), data.with_suffix(".svg")]
        plot.save(run, *pictures)
        written += pictures
    if written:
        print("written: " + _names(written), file=sys.stderr)
    return DONE


def _names(paths: Sequence[Path]) -> str:
    """The files; of those that differ only in how they end, the name once."""
    first, *others = paths
    if all(path.with_suffix("") == first.with_suffix("") for path in others):
        return ", ".join([str(first), *(path.suffix for path in others)])
    return ", ".join(map(str, paths))


def _require(package: str, thing: str, otherwise: str = "") -> None:
    try:
        import_module(package)  # only to see that it is there, before time is spent
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{thing} needs {package}: pip install 'gilfree[bench]'{otherwise}") from error


def _show(run: Any, console: Any) -> None:
    from rich.text import Text

    from gilfree.explore import scaling, table

    machine = run.machine
    gil = "with its GIL" if machine["gil_enabled"] else "without a GIL"
    lines: list[Any] = [
        f"Python {machine['python']} {gil}, {machine['cpu']}, {machine['cpus']} CPUs, {machine['isa'] or 'no ISA'}",
        table.build(run),
        Text("Do threads scale" + (" only when the GIL is released?" if machine["gil_enabled"] else "?"), "bold"),
    ]
    for kernel, said in run.verdicts.items():
        word, stop, rest = said.partition(".") if "." in said.partition(":")[0] else said.partition(":")
        colour = {"yes": "green", "no": "red", "doubtful": "yellow"}.get(word, "yellow" if "tell" in word else "cyan")
        lines.append(Text.assemble((f"{kernel}: ", "bold"), (word, colour), f"{stop}{rest}"))
    lines += scaling.doubts(run)
    compiled = sum(sum(rows.values()) for rows in run.compile_seconds.values())
    took = {name: f"{seconds:.0f} s" for name, seconds in run.took.items()}
    if any(run.compile_seconds.values()):
        took["data and answers"] += f" (Numba {compiled:.0f} s)"  # which compiles, or loads what it has compiled
    lines.append(f"Took: {', '.join(' '.join(part) for part in took.items())}.")
    for line in lines:
        # Between words on a terminal, and not at all in a file.
        console.print(line, highlight=False, markup=False, soft_wrap=not console.is_terminal)


# --- gilfree probe ---------------------------------------------------------------------------------------------------


def _probe(options: argparse.Namespace) -> int:
    from gilfree.explore import record, statement
    from gilfree.explore.machine import info
    from gilfree.explore.probe import INTERVAL, SECONDS

    many = len(options.statement) > 1
    setup = "\n".join(options.setup) or "pass"
    settings = {
        "seconds": SECONDS if options.time is None else options.time,
        "interval": INTERVAL if options.interval is None else options.interval,
        "timeout": options.timeout,
    }
    for text in options.statement:
        statement.check(text, setup)  # all of them, before the first is run
    if many and options.json != HERE:
        _require("rich", "the table of several statements", ", or ask for --json")
    if options.plot:
        _require("matplotlib", "the picture")
    found = []
    for number, text in enumerate(options.statement, 1):
        if sys.stderr.isatty():
            print(f"\rprobing {number} of {len(options.statement)} …", end="", file=sys.stderr, flush=True)
        try:
            found.append(statement.probe_in_child(text, setup, **settings))
        except statement.StatementError as error:
            print(f"{_clear()}{error}".rstrip(), file=sys.stderr)
            return BAD_ARGUMENTS
        finally:
            if sys.stderr.isatty():
                print(_clear(), end="", file=sys.stderr, flush=True)
    data = {"machine": info(), "probes": [probe.to_dict() for probe in found]}
    if options.json == HERE:
        print(json.dumps(data, indent=1))
    elif many:
        from rich.console import Console

        from gilfree.explore import table

        console = Console()
        if not console.is_terminal:
            console.width = 160
        console.print(table.build_probes(found))
    else:
        print(found[0])
    if options.json not in (None, HERE):
        record.write(data, Path(options.json))
    if options.plot:
        from gilfree.explore import plot

        plot.save(found, options.plot)
    return _status({probe.verdict for probe in found}, options.expect)


def _status(verdicts: set[str], expected: list[str] | None) -> int:
    if expected is not None and verdicts <= set(expected):
        return DONE
    if "inconclusive" in verdicts:
        return INCONCLUSIVE
    if expected is not None:
        return HELD
    return DONE if verdicts <= {"releases", "partial", "no-gil"} else HELD


def _clear() -> str:
    """Wipes the line on which the progress stood."""
    return "\r\x1b[K" if sys.stderr.isatty() else ""


# --- gilfree binarize ------------------------------------------------------------------------------------------------


def _binarize(options: argparse.Namespace) -> int:
    import warnings
    from time import perf_counter

    from gilfree import pixels

    given = dict(options.set)
    if options.window_size is not None:
        given["window_size"] = options.window_size
    if options.k is not None:
        given["k"] = options.k
    own = {"value", "invert", "format", "overwrite", "before_after", "progress", "backend", "threads", "executor"}
    for name in given:
        if name in own | {"sources", "output", "method", "image", "out", "channel_axis", "maxval", "per_image"}:
            raise ValueError(f"--set: got {name}, expected an option of the method")
    start = perf_counter()
    with _bar(quiet=options.quiet) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow finds odd about a file; what it cannot read is a failure
        results = pixels.binarize_files(
            options.sources,
            options.output,
            options.method,
            value=options.value,
            invert=options.invert,
            format=options.format,
            overwrite=options.overwrite,
            before_after=options.before_after,
            progress=progress,
            backend=options.backend,
            threads=options.threads,
            **given,
        )
    seconds = perf_counter() - start
    if not results:
        raise ValueError(f"no pictures in {', '.join(options.sources)}")
    failed = [result for result in results if result.state == "failed"]
    if not options.quiet:
        states = [result.state for result in results]
        words = [f"{states.count(state)} {state}" for state in ("written", "kept", "failed") if state in states]
        pace = len(results) / max(seconds, 1e-9)
        print(f"{', '.join(words)}, in {seconds:.1f} s ({pace:.1f} pictures/s)", file=sys.stderr)
    for result in failed:
        print(f"gilfree: {result.source}: {result.error}", file=sys.stderr)
    return FAILED if failed else DONE


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int, Any], None] | None]:
    """What shows how far it is: a bar on a terminal, some lines elsewhere, or nothing."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield _line
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the progress bar needs rich: pip install 'gilfree[images]', or ask for --quiet"
        ) from error
    columns = (
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("[red]{task.fields[failures]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=None, pace="", failures="")
        failures = 0

        def show(done: int, total: int, result: Any) -> None:
            nonlocal failures
            failures += result.state == "failed"
            pace = bar.tasks[0].speed
            bar.update(
                task,
                total=total,
                completed=done,
                pace=f"{pace:.1f} pictures/s" if pace else "",
                failures=f"{failures} failed" if failures else "",
            )

        yield show


def _line(done: int, total: int, _: Any) -> None:
    """A tenth at a time."""
    if done * 10 // total > (done - 1) * 10 // total:
        print(f"{done} of {total} pictures", file=sys.stderr, flush=True)


# --- gilfree info ----------------------------------------------------------------------------------------------------


def _info(options: argparse.Namespace) -> int:
    from gilfree.explore import machine

    machine.start_numba_threads()
    found = machine.info()
    if options.json:
        print(json.dumps(found, indent=1))
        return DONE
    gil = "on" if found["gil_enabled"] else "off"
    if found["gil_enabled_by"]:
        gil = f"switched back on by {found['gil_enabled_by']}"
    build = "free-threaded build" if found["free_threaded_build"] else "build with a GIL"
    rows = [
        ("Python", f"{found['python']} ({found['implementation']}, {build})"),
        ("GIL", gil),
        ("CPU", f"{found['cpu']}, {found['cpus']} CPUs"),
        ("ISA", f"{found['isa']} (of {', '.join(found['isas'])})" if found["isa"] else "none: no compiled modules"),
        ("threads", f"{found['threads']} by default"),
        ("Numba layer", found["numba_threading_layer"] or "none: no Numba"),
        ("versions", ", ".join(f"{name} {number}" for name, number in found["versions"].items())),
    ]
    for name, text in rows:
        print(f"{name:<12} {text}")
    print("\nbackends")
    for name, row in found["backends"].items():
        promise = "releases the GIL" if row["releases_gil"] else "holds the GIL"
        if not found["gil_enabled"]:
            promise = "no GIL to hold"
        state = f"available, {promise}" if row["available"] else f"missing: {row['why']}"
        print(f"  {name:<15} {state}{', the default' if row['default'] else ''}")
    return DONE
