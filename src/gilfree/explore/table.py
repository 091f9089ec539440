"""A run, or probes, as a table for the terminal, with rich."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gilfree import backends
from gilfree.explore.probe import Probe
from gilfree.explore.record import Gain, Record, Run
from gilfree.explore.scaling import share_of_ceiling

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["build", "build_probes", "duration", "proof"]

# Colour-blind safe, and only beside the word.
STYLES = {"releases": "blue", "no-gil": "blue", "partial": "cyan", "yields": "yellow", "inconclusive": "dim"}


def build(run: Run) -> "Table":
    """One row a backend, grouped by kernel; the machine's ceilings close each group."""
    from rich import box
    from rich.table import Table

    counts = sorted({record.threads for record in run.records} - {1})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for heading in ("kernel", "backend", "GIL"):
        table.add_column(heading, no_wrap=True)
    table.add_column("M/s", justify="right", no_wrap=True)
    for count in counts:
        table.add_column(f"× {count}", justify="right", no_wrap=True)
    if counts:
        table.add_column("95 %", justify="right", no_wrap=True)
        table.add_column("ceiling", justify="right", no_wrap=True)
    for kernel in run.kernels():
        _group(table, run, kernel, counts)
        table.add_section()
    return table


def _group(table: "Table", run: Run, kernel: str, counts: list[int]) -> None:
    """The rows of one kernel; the first column says below its name what it works on."""
    from rich.text import Text

    # The usual size, not the interpreter's smaller share of it: rates compare the two.
    size = max(record.size for record in run.records if record.kernel == kernel)
    about = [f"{_amount(size)} {run.units.get(kernel, '')}"]
    memory = run.memory.get(kernel)
    if memory is not None and memory.huge_pages is not None:
        about.append("huge pages" if memory.huge_pages >= 0.5 else "4 KiB pages")
    first = iter([Text(kernel, style="bold"), *(Text(line, style="dim") for line in about)])
    for name in backends.BACKENDS:
        one = run.find(kernel, name, 1)
        if one is not None:
            table.add_row(next(first, ""), *_row(run, one, counts))
    if not counts:
        return
    gains = [run.ceiling[kernel][count] for count in counts]
    shown = [*(f"{gain.value:.2f}" for gain in gains), _interval(gains[-1])]
    table.add_row(next(first, ""), "the machine", "processes", "", *shown, "", style="cyan")
    if memory is not None:
        gains = [memory.gain[count] for count in counts]
        speeds = f"{memory.read[1] / 1e9:.0f} → {memory.read[counts[-1]] / 1e9:.0f} GB/s"
        shown = [*(f"{gain.value:.2f}" for gain in gains), _interval(gains[-1])]
        table.add_row(next(first, ""), "its memory", speeds, "", *shown, "", style="cyan")


def build_probes(found: Iterable[Probe]) -> "Table":
    """One row a callable."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("callable", overflow="fold", ratio=1)
    table.add_column("verdict", no_wrap=True)
    table.add_column("witnesses", justify="right", no_wrap=True)
    for heading in ("GIL free", "longest hold", "a call"):
        table.add_column(heading, justify="right", no_wrap=True)
    for probe in found:
        table.add_row(
            Text(probe.name),
            Text(probe.verdict, style=STYLES.get(probe.verdict, "red")),
            f"{probe.witnesses} of {probe.runs}" if probe.runs else "–",
            "–" if probe.free_share is None else f"{probe.free_share:.1%}",
            "–" if probe.longest_hold is None else duration(probe.longest_hold),
            "–" if probe.call is None else duration(probe.call),
        )
    return table


def _row(run: Run, one: Record, counts: list[int]) -> list[Any]:
    from rich.text import Text

    word = proof(run.probes.get(one.kernel, {}).get(one.backend))
    cells: list[Any] = [
        one.backend,
        Text(word, style=STYLES.get(word.partition(" ")[0], "")),
        _three_digits(one.size / one.best / 1e6),
    ]
    interval = share = ""
    for count in counts:
        record = run.find(one.kernel, one.backend, count)
        cells.append(f"{record.speedup:.2f}" if record else "–")
        interval = _interval(record.gain) if record else ""
        share = f"{share_of_ceiling(run, record):.0%}" if record else "–"
    return [*cells, interval, share] if counts else cells


def _interval(gain: Gain) -> str:
    return f"{gain.low:.2f}–{gain.high:.2f}"


# A share of the call below which the kernel holds: NumPy releases the GIL for moments in the front end around it, where
# it makes the array for the result.
FRONT_END = 0.01


def proof(probed: Probe | None) -> str:
    """The verdict on the kernel in a word, and for how much of its time the GIL is free where a witness saw that."""
    if probed is None:
        return "–"
    if not probed.witnesses or probed.free_share is None:
        return probed.verdict
    if probed.verdict == "partial" and probed.free_share < FRONT_END:
        return "holds"
    return f"{probed.verdict} {min(probed.free_share, 0.99):.0%}"  # two digits: the table has to fit a terminal


def duration(seconds: float) -> str:
    """Three digits and the unit that fits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _three_digits(number: float) -> str:
    """Never an exponent, and no digits that were not measured."""
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def _amount(size: int) -> str:
    for letter, scale in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if size >= scale:
            return f"{size / scale:.3g} {letter}"
    return str(size)
