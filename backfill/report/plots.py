"""The pictures of the report: PNGs at twice the size at which they are shown. All are made within ``styled``."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sluice.backfill.report.findings import BINS, UNSURE
from sluice.backfill.report.palette import HATCHES, Theme
from sluice.backfill.report.scripts import NAMES, majority
from sluice.backfill.report.timeline import DAY_S, Bars
from sluice.backfill.report.words import MONTHS, day, percent

#: Width in CSS pixels; 100 of them are an inch of the picture.
WIDTH = 720
DPI = 200
MAX_NAME = 22
#: Characters that fit under the width as ticks, and most ticks.
TICK_CHARS = 70
MAX_TICKS = 8
#: From here on bars and points are small.
MANY_BARS = 45
#: Scripts that the pictures' font has, and that need no shaping.
DRAWABLE = frozenset({"Latin", "Greek", "Cyrillic", NAMES[0]})


@dataclass(frozen=True, slots=True)
class Look:
    """How labels look in a picture: names that can be drawn, and one ``(colour, round)`` each."""

    theme: Theme
    names: Sequence[str]
    styles: Sequence[tuple[int, int]]

    def fill(self, label: int) -> dict[str, Any]:
        """Arguments of a bar of ``label``."""
        colour, round_ = self.styles[label]
        theme = self.theme
        return {"color": theme.labels[colour], "hatch": HATCHES[round_], "edgecolor": theme.card, "linewidth": 0.4}


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the plots of ``drift``.

    Attributes:
        values: shape (lines, periods), 0..1; NaN where there is none.
        percent: shown as such.
        labels: the lines are those of the labels.
    """

    name: str
    values: np.ndarray
    percent: bool = True
    labels: bool = False


def drawable(names: Sequence[str]) -> list[str]:
    """``names`` shortened; ``label 3`` in place of one in a script that the font lacks."""
    import pyarrow as pa

    if not names:
        return []
    found = majority(pa.array(list(names), pa.large_string()))
    good = [
        NAMES[script] in DRAWABLE and name.isprintable() and all(ord(char) < 0x2E80 for char in name)
        for name, script in zip(names, found.tolist(), strict=True)
    ]
    return [
        _shortened(name).replace("$", r"\$") if fine else f"label {at}"
        for at, (name, fine) in enumerate(zip(names, good, strict=True), 1)
    ]


def _shortened(name: str) -> str:
    """``name`` without its middle if it is long: its end may be what tells it from others."""
    half = MAX_NAME // 2
    return name if len(name) <= MAX_NAME else f"{name[:half]}…{name[1 - half :]}"


def shares(look: Look, counts: np.ndarray) -> bytes:
    """One bar per label with its rows and its share; ``counts`` has shape (labels,)."""
    figure, axes = _canvas(0.5 + 0.42 * len(counts))
    total = max(1, int(counts.sum()))
    for label, count in enumerate(counts.tolist()):
        axes.barh(label, count, height=0.66, **look.fill(label))
        axes.annotate(
            f"{count:,}  ({percent(count, total)})", (count, label), (5, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(counts)), look.names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1, counts.max(initial=0)) * 1.28)
    axes.set_xlabel("rows")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    _whole_numbers(axes.xaxis)
    return _png(figure)


def over_time(look: Look, bars: Bars) -> bytes:
    """Rows and shares by label, one bar per unit of time."""
    figure, (top, bottom) = _canvas(4.4 + _legend_height(look), rows=2, sharex=True)
    counts = bars.counts
    total = counts.sum(axis=1)
    parts = np.divide(counts * 100.0, total[:, None], out=np.zeros(counts.shape), where=total[:, None] > 0)
    for axes, values in ((top, counts), (bottom, parts)):
        base = np.zeros(len(counts))
        for label in range(counts.shape[1]):
            fill = look.fill(label) | ({"linewidth": 0} if len(counts) > MANY_BARS else {})
            axes.bar(range(len(counts)), values[:, label], bottom=base, width=0.9, label=look.names[label], **fill)
            base += values[:, label]
    top.set_ylabel(_rows_each(bars.unit.name))
    bottom.set_ylabel("share (%)")
    bottom.set_ylim(0, 100)
    _whole_numbers(top.yaxis)
    names = [moment(start, bars) for start in bars.starts.tolist()]
    ticks = _ticks(bars, min(MAX_TICKS, TICK_CHARS // max(map(len, names))))
    bottom.set_xticks(ticks, [names[at] for at in ticks])
    bottom.set_xlabel(on_one_day(bars))
    beside = max(0.7, (5 - len(names)) / 2)  # a lone bar need not fill the width
    bottom.set_xlim(-beside, len(names) - 1 + beside)
    _legend(figure, look, top)
    return _png(figure)


#: Line of a label by its round of colours, as HATCHES are for bars.
LINES = ("-", (0, (4, 2)), (0, (1, 1.5)))


def drift(look: Look, bars: Bars, panels: Sequence[Panel], marked: Sequence[int]) -> bytes:
    """Means in the course of time, a panel for each kind of them; the periods ``marked`` are shaded."""
    figure, grid = _canvas(
        2.6 + _legend_height(look) + 1.45 * (len(panels) - 1),
        rows=len(panels),
        sharex=True,
        squeeze=False,
        height_ratios=[1.6] + [1] * (len(panels) - 1),
    )
    for panel, axes in zip(panels, grid.flat, strict=True):
        for at in marked:
            axes.axvspan(at - 0.5, at + 0.5, color=look.theme.ink, alpha=0.1, linewidth=0)
        _draw(axes, look, panel)
    names = [moment(start, bars) for start in bars.starts.tolist()]
    ticks = _ticks(bars, min(MAX_TICKS, TICK_CHARS // max(map(len, names))))
    last = grid.flat[-1]
    last.set_xticks(ticks, [names[at] for at in ticks])
    last.set_xlim(-0.7, len(names) - 0.3)
    _legend(figure, look, grid.flat[0])
    return _png(figure)


def _draw(axes: Any, look: Look, panel: Panel) -> None:
    scale = 100 if panel.percent else 1
    for number, values in enumerate(scale * panel.values):
        colour, round_ = look.styles[number] if panel.labels else (0, 0)
        axes.plot(
            values,
            color=look.theme.labels[colour] if panel.labels else look.theme.accent,
            linestyle=LINES[round_],
            linewidth=1.8,
            marker="o",
            markersize=4 if len(values) <= MANY_BARS else 2.5,
            label=look.names[number] if panel.labels else panel.name,
        )
    axes.set_ylabel(f"{panel.name} (%)" if panel.percent else panel.name)
    low, high = (scale * float(bound) for bound in (np.nanmin(panel.values), np.nanmax(panel.values)))
    room = max(0.005 * scale, 0.12 * (high - low))
    axes.set_ylim(max(-0.06 * (high + room), low - room), min(1.02 * scale, high + room))


def _rows_each(unit: str) -> str:
    """``rows a day``, ``rows an hour``, ``rows in 6 hours``."""
    if unit[0].isdigit():
        return f"rows in {unit}"
    return f"rows {'an' if unit == 'hour' else 'a'} {unit}"


def by_script(look: Look, names: Sequence[str], counts: np.ndarray) -> bytes:
    """The shares of labels in each script; ``counts`` has shape (scripts, labels)."""
    figure, axes = _canvas(0.75 + 0.36 * len(names) + _legend_height(look))
    total = counts.sum(axis=1)
    base = np.zeros(len(names))
    for label in range(counts.shape[1]):
        part = 100 * counts[:, label] / np.maximum(total, 1)
        axes.barh(range(len(names)), part, left=base, height=0.7, label=look.names[label], **look.fill(label))
        base += part
    for at, rows in enumerate(total.tolist()):
        axes.annotate(f"{rows:,} row{'s' * (rows != 1)}", (101, at), va="center", color=look.theme.muted)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 122)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("share of the script's rows (%)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    _legend(figure, look, axes)
    return _png(figure)


def probabilities(look: Look, bins: np.ndarray) -> bytes:
    """A histogram of the winning label's probability per label; ``bins`` has shape (labels, BINS)."""
    labels = len(bins)
    columns = min(labels, 3)
    rows = -(-labels // columns)
    figure, grid = _canvas(0.5 + 1.75 * rows, rows=rows, columns=columns, sharex=True, squeeze=False)
    edges = np.arange(BINS) / BINS
    for label, axes in enumerate(grid.flat):
        if label >= labels:
            axes.set_visible(False)
            continue
        axes.bar(edges, bins[label], width=1 / BINS, align="edge", **look.fill(label))
        axes.set_title(look.names[label], loc="left", fontsize=10, fontweight="bold")
        axes.axvline(UNSURE[-1], color=look.theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
        _whole_numbers(axes.yaxis)
        if label + columns >= labels:
            axes.set_xlabel("probability")
            axes.tick_params(labelbottom=True)
        if label % columns == 0:
            axes.set_ylabel("rows")
    return _png(figure)


def throughput(theme: Theme, edges: np.ndarray, rates: np.ndarray, restarts: Sequence[float]) -> bytes:
    """Rows a second over the run; ``edges`` (seconds) has one more than ``rates``; a line at each restart."""
    figure, axes = _canvas(2.5)
    scale, unit = next((s, u) for s, u in ((3600, "h"), (60, "min"), (1, "s")) if edges[-1] >= 3 * s or s == 1)
    axes.stairs(rates, edges / scale, fill=True, color=theme.accent, alpha=0.25)
    axes.stairs(rates, edges / scale, color=theme.accent, linewidth=1.6)
    for number, at in enumerate(restarts):
        name = {"label": "carried on after a stop"} if number == 0 else {}
        axes.axvline(at / scale, color=theme.ink, linewidth=1, linestyle=(0, (4, 3)), **name)
    axes.set_xlim(0, edges[-1] / scale)
    axes.set_ylim(0, max(1.0, float(rates.max())) * 1.12)
    axes.set_xlabel(f"time spent ({unit})")
    axes.set_ylabel("rows/s")
    _whole_numbers(axes.yaxis)
    if restarts:
        figure.legend(loc="outside upper right", fontsize=9)
    return _png(figure)


def moment(start: int, bars: Bars) -> str:
    """The start of a bar, as exactly as the length of bars asks for."""
    at = datetime.fromtimestamp(start, UTC)
    short = f"{at.day} {MONTHS[at.month - 1]}"
    if bars.unit.name == "year":
        return str(at.year)
    if bars.unit.months:
        return f"{MONTHS[at.month - 1]} {at.year}"
    if bars.unit.seconds >= DAY_S:
        return f"{short} {at.year}"
    clock = f"{at:%H:%M:%S}" if bars.unit.seconds < 60 else f"{at:%H:%M}"
    return clock if on_one_day(bars) else f"{short} {clock}"


def _ticks(bars: Bars, most: int) -> range:
    """The bars that have their names under them: ``most`` at most, at round times, or the first one."""
    wanted = -(-len(bars.starts) // most)
    step = next((step for step in bars.unit.steps if step >= wanted), wanted)
    first = -bars.unit.number(int(bars.starts[0])) % step
    return range(first, len(bars.starts), step) if first < len(bars.starts) else range(1)


def on_one_day(bars: Bars) -> str:
    """The date of all bars, if they are parts of one day; empty else."""
    first, last = int(bars.starts[0]), int(bars.starts[-1])
    parts = not bars.unit.months and bars.unit.seconds < DAY_S
    return day(first) if parts and first // DAY_S == last // DAY_S else ""


@contextmanager
def styled(theme: Theme) -> Iterator[None]:
    """Within it, pictures get the colours of ``theme``, whatever the user's own matplotlib settings say."""
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context():
        rcdefaults()
        rcParams.update(_style(theme))  # type: ignore[arg-type]
        yield


def _canvas(height: float, rows: int = 1, columns: int = 1, **grid: Any) -> tuple[Any, Any]:
    """A figure of WIDTH and ``height`` inches, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, max(1.0, height)), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **grid)


def _style(theme: Theme) -> dict[str, Any]:
    return {
        "font.family": ["DejaVu Sans"],
        "font.size": 10,
        "text.color": theme.ink,
        "axes.labelcolor": theme.muted,
        "axes.titlecolor": theme.ink,
        "axes.edgecolor": theme.line,
        "axes.facecolor": theme.card,
        "figure.facecolor": theme.card,
        "figure.constrained_layout.w_pad": 0.1,
        "figure.constrained_layout.h_pad": 0.08,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.line,
        "grid.linewidth": 0.7,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "legend.frameon": False,
        "hatch.linewidth": 0.8,
    }


def _legend_columns(look: Look) -> int:
    """As many names side by side as fit the width."""
    longest = max((len(name) for name in look.names), default=1)
    return max(1, min(len(look.names), 95 // (longest + 6)))


def _legend_height(look: Look) -> float:
    """Inches."""
    return 0.2 * -(-len(look.names) // _legend_columns(look)) + 0.05


def _legend(figure: Any, look: Look, axes: Any) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper left", ncols=_legend_columns(look), fontsize=9,
        handlelength=1.2, columnspacing=1.4,
    )  # fmt: skip


def _whole_numbers(axis: Any) -> None:
    from matplotlib import ticker

    axis.set_major_locator(ticker.MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: _short(value, axis.get_view_interval()[1])))


def _short(value: float, most: float) -> str:
    """``value`` on an axis up to ``most``, in the unit of the whole axis: 4k before 12k."""
    for size, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if most >= size and value:
            return f"{value / unit:,.4g}{letter}"
    return f"{value:,.0f}"


def _png(figure: Any) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=DPI, metadata={"Software": None})
    return sink.getvalue()
