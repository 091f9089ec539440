"""A run, or probes, as a table for the terminal, with rich."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gilfree import backends
from gilfree.explore.probe import Probe
from gilfree.explore.record import Record, Run

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["build", "build_probes", "duration", "proof"]

# Colour-blind safe, and only beside the word.
STYLES = {"releases": "blue", "no-gil": "blue", "partial": "cyan", "yields": "yellow", "inconclusive": "dim"}


def build(run: Run) -> "Table":
    """One row a backend, grouped by kernel; the verdict closes each group."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    counts = sorted({record.threads for record in run.records} - {1})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("kernel, backend", no_wrap=True)
    table.add_column("GIL", no_wrap=True)
    table.add_column("1 thread", justify="right", no_wrap=True)
    table.add_column("M/s", justify="right", no_wrap=True)
    for count in counts:
        table.add_column(f"× {count}", justify="right", no_wrap=True)
    if counts:
        table.add_column("of ceiling", justify="right", no_wrap=True)
    for kernel in run.kernels():
        ceiling = run.ceiling[kernel]
        # The usual size, not the interpreter's smaller share of it: rates compare the two.
        size = max(record.size for record in run.records if record.kernel == kernel)
        table.add_row(Text(kernel, style="bold") + Text(f"  {_amount(size)} {run.units.get(kernel, '')}", style="dim"))
        for name in backends.BACKENDS:
            one = run.find(kernel, name, 1)
            if one is not None:
                table.add_row(*_row(run, one, counts))
        gains = [f"{ceiling[count]:.2f}" for count in counts]
        if counts:
            table.add_row(Text("  the machine", style="italic"), "processes", "", "", *gains, "ceiling", style="cyan")
        table.add_section()
    return table


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


def _row(run: Run, one: Record, counts: list[int]) -> list[str]:
    cells = [
        f"  {one.backend}",
        proof(run.probes.get(one.kernel, {}).get(one.backend)),
        duration(one.best),
        _three_digits(one.size / one.best / 1e6),
    ]
    share = ""
    for count in counts:
        record = run.find(one.kernel, one.backend, count)
        cells.append(f"{record.speedup:.2f}" if record else "–")
        share = f"{record.speedup / run.ceiling[one.kernel][count]:.0%}" if record else "–"
    return [*cells, share] if counts else cells


def proof(probed: Probe | None) -> str:
    """The verdict in a word, and for how much of its time the GIL is free where a witness saw that it is."""
    if probed is None:
        return "–"
    if not probed.witnesses or probed.free_share is None:
        return probed.verdict
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
