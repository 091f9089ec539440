"""Pictures, with matplotlib: a run's speed-up against threads; how long others wait while probed calls run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilfree import backends
from gilfree.explore.probe import Probe
from gilfree.explore.record import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "draw_stalls", "save"]

# One hue a compiler, from the colour-blind safe palette of M. Okabe and K. Ito; the line style says the GIL, so that
# the picture also reads in grey.
COLOURS = {"none": "#000000", "C": "#0072B2", "LLVM": "#D55E00"}
MARKERS = {"python": "x", "cython-held": "o", "cython": "o", "numba-held": "s", "numba": "s", "numba-parallel": "^"}
CEILING = "#999999"
# The rest of that palette, without the yellow that white swallows.
STALL_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


# Inches of a panel, which at 200 dots an inch keeps a row of them under 900 pixels; and panels in a row.
PANEL = 2.7, 2.3
COLUMNS = 5


def draw(run: Run) -> "Figure":
    """The figure: a few kernels in one row, many as a grid in which each family begins a row of its own.

    At 200 dots an inch its smallest letters are 22 pixels high.
    """
    from matplotlib.figure import Figure

    rows = _grid(run.kernels())
    columns = max(map(len, rows))
    width, height = max(8.0, PANEL[0] * columns), PANEL[1] * len(rows) + 1.6
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    most = max(max(ceiling) for ceiling in run.ceiling.values())
    top = 1.05 * max(
        [float(most)]
        + [record.gain.high for record in run.records if record.kernel in run.ceiling]
        + [gain.high for ceiling in run.ceiling.values() for gain in ceiling.values()]
    )
    top = min(top, 1.5 * most)  # one wild interval must not flatten the rest
    handles: dict[str, Any] = {}
    for panels, kernels in zip(axes, rows, strict=True):
        for panel, kernel in zip(panels, kernels, strict=False):
            _draw_kernel(panel, run, kernel, most)
            panel.set_ylim(0, top)
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        for panel in panels[len(kernels) :]:
            panel.axis("off")
    order = [name for name in ("processes: the ceiling", "memory: the other", *backends.BACKENDS) if name in handles]
    figure.legend(
        [handles[name] for name in order], [_label(run, name) for name in order], loc="outside lower center",
        fontsize=9, frameon=False, ncols=3 if width < 10 else 4,
    )  # fmt: skip
    figure.supylabel("times as fast as one thread", fontsize=10)
    figure.suptitle(_title(run), fontsize=11)
    return figure


def _grid(kernels: Sequence[str]) -> list[list[str]]:
    """Kernels as rows of panels: all in one where they fit, else each family from a row of its own on."""
    if len(kernels) <= COLUMNS:
        return [list(kernels)]
    from gilfree.explore.workloads import KERNELS

    rows: list[list[str]] = []
    for number, kernel in enumerate(kernels):
        begins = not number or KERNELS[kernel].family != KERNELS[kernels[number - 1]].family
        if begins or len(rows[-1]) == COLUMNS:
            rows.append([])
        rows[-1].append(kernel)
    return rows


def _draw_kernel(panel: Any, run: Run, kernel: str, most: int) -> None:
    """Speed-ups against threads, each with its interval, over what the machine allows."""
    counts = sorted(run.ceiling[kernel])
    gains = [run.ceiling[kernel][count].value for count in counts]
    panel.plot(
        counts, gains, color=CEILING, linewidth=6, alpha=0.45, solid_capstyle="round", label="processes: the ceiling"
    )
    if kernel in run.memory:
        gains = [run.memory[kernel].gain[count].value for count in counts]
        panel.plot(counts, gains, color="#009E73", linewidth=6, alpha=0.3, label="memory: the other")
    for place, (name, row) in enumerate(backends.BACKENDS.items()):
        found = [record for count in counts if (record := run.find(kernel, name, count)) is not None]
        if not found:
            continue
        # Side by side: most of them would lie on one another.
        aside = (place - len(backends.BACKENDS) / 2) * 0.022 * (most - 1)
        colour = COLOURS[row.compiler]
        panel.errorbar(
            [record.threads + aside for record in found],
            [record.speedup for record in found],
            [
                [record.speedup - record.gain.low for record in found],
                [record.gain.high - record.speedup for record in found],
            ],
            color=colour, linestyle="-" if row.releases else "--", linewidth=1.6, elinewidth=1, capsize=2,
            marker=MARKERS[name], markersize=5.5, markerfacecolor=colour if row.releases else "white", label=name,
        )  # fmt: skip
    panel.set_title(kernel, fontsize=10, fontweight="bold")
    panel.set_xticks(counts, [f"{count} thread{'s' * (count > 1)}" if most <= 2 else str(count) for count in counts])
    panel.set_xlim(1 - 0.15 * (most - 1 or 1), most + 0.15 * (most - 1 or 1))
    panel.grid(alpha=0.25)
    panel.tick_params(labelsize=9)


def _label(run: Run, name: str) -> str:
    """The backend, and for how much of a call the probe found the GIL free."""
    if name not in backends.BACKENDS:
        return name
    probes = [rows[name] for rows in run.probes.values() if name in rows]
    if any(probe.verdict == "no-gil" for probe in probes):
        return f"{name}: no GIL"
    shares = sorted(probe.free_share for probe in probes if probe.free_share is not None)
    if not shares:
        return f"{name} ({'released' if backends.BACKENDS[name].releases else 'held'})"
    low, high = f"{shares[0]:.0%}", f"{shares[-1]:.0%}"
    return f"{name}: GIL free {low}" + (f" to {high}" if low != high else "")


def _title(run: Run) -> str:
    machine = run.machine
    gil = "with its GIL" if machine["gil_enabled"] else "without a GIL"
    isa = f", {machine['isa']}" if machine["isa"] else ""
    return f"Python {machine['python']} {gil} · {machine['cpu']}, {machine['cpus']} CPUs{isa}"


def draw_stalls(found: Sequence[Probe]) -> "Figure":
    """How long a thread that wants the GIL waits while each callable runs: the share of waits up to each length.

    8 inches wide; one line a callable, over a logarithmic scale from a microsecond, with the switch interval marked.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    least = 1e-6  # what is shorter is the price of taking a free GIL
    longest = max([wait for probe in found for wait in probe.waits], default=0.0)
    for number, probe in enumerate(found):
        waits = sorted(max(wait, least) for wait in probe.waits)
        if not waits:
            continue
        shares = [(place + 1) / len(waits) for place in range(len(waits))]
        colour, style = STALL_COLOURS[number % len(STALL_COLOURS)], ("-", "--", ":", "-.")[number // 7 % 4]
        axes.step(
            [least, *waits, max(longest, waits[-1]) * 1.5], [0, *shares, 1], where="post", color=colour,
            linestyle=style, linewidth=1.8, label=f"{_short(probe.name)}: {probe.verdict}",
        )  # fmt: skip
    interval = found[0].switch_interval if found else 5e-3
    axes.axvline(interval, color=CEILING, linewidth=1.2)
    axes.annotate(
        f"switch interval, {interval * 1e3:g} ms", (interval, 0.02), xytext=(-4, 0), textcoords="offset points",
        rotation=90, ha="right", va="bottom", fontsize=9, color="#444444",
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(least, max(longest, interval) * 2)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _tick(seconds)))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("how long another thread waits for the GIL", fontsize=10)
    axes.set_ylabel("share of the waits up to that", fontsize=10)
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25)
    if axes.get_lines()[:-1]:
        figure.legend(loc="outside upper center", fontsize=9, frameon=False, ncols=min(2, len(found)))
    return figure


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= 40 else line[:39] + "…"


def _tick(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:g} {unit}"
    return f"{seconds * 1e6:g} µs"


def save(thing: "Run | Sequence[Probe]", *paths: Path) -> None:
    """Draw a run or some probes once, and write to each path in the format its ending names."""
    import matplotlib as mpl

    figure = draw(thing) if isinstance(thing, Run) else draw_stalls(thing)
    # Text stays text, and two drawings of one run are the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gilfree"}):
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=200, metadata=metadata)
