"""The figures of a run: medians, ratios to the reference, the table, the JSON file and the bounds."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SERVER = "server"
REFERENCE = "reference"
MOST_LINES_A_READ = 1.1


@dataclass(frozen=True)
class Metric:
    """One row of the table."""

    name: str
    label: str
    unit: str
    is_cost: bool = True


METRICS = {
    metric.name: metric
    for metric in (
        Metric("request", "CPU per request, not streamed", "us"),
        Metric("stream", "CPU per stream, fixed cost", "us"),
        Metric("burst", "CPU per chunk, burst", "us"),
        Metric("writes", "CPU per chunk, one write each", "us"),
        Metric("paced", "CPU per chunk, 50 a second", "us"),
        Metric("rate", "requests per second", "1/s", is_cost=False),
        Metric("alone", "lines per read when paced", "", is_cost=False),
        Metric("idle", "CPU when idle, not charged", "us/s", is_cost=False),
        Metric("resident", "resident memory, idle", "MiB", is_cost=False),
    )
}
COSTS = tuple(metric.name for metric in METRICS.values() if metric.is_cost)


@dataclass
class Results:
    """Every value measured, by metric and target, in the order of the rounds."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, metric: str, target: str, value: float) -> None:
        """Note one value."""
        self.values.setdefault(metric, {}).setdefault(target, []).append(value)

    def ratio(self, metric: str) -> float | None:
        """Return how many times the reference's cost the server's is: the median of the rounds' ratios.

        Server and reference are measured one after the other in each round, so a machine that slows down
        for a while slows both. None if there is nothing to compare, or if noise made a slope of the
        reference vanish.
        """
        pairs = list(
            zip(*(self.values.get(metric, {}).get(name, []) for name in (SERVER, REFERENCE)), strict=False)
        )
        if not METRICS[metric].is_cost or not pairs or any(floor <= 0 for _, floor in pairs):
            return None
        return float(statistics.median(cost / floor for cost, floor in pairs))


def machine(clock: str) -> dict[str, Any]:
    """Describe where the figures come from."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "clock": clock,
    }


def summary(values: list[float]) -> dict[str, Any]:
    """Reduce the rounds to the figures that are quoted."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "rounds": values}


def document(results: Results, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as JSON-able data."""
    metrics: dict[str, Any] = {}
    for name, targets in results.values.items():
        entry: dict[str, Any] = {"unit": METRICS[name].unit}
        entry |= {target: summary(values) for target, values in targets.items()}
        if (ratio := results.ratio(name)) is not None:
            entry["ratio"] = ratio
        metrics[name] = entry
    return {
        "version": 1,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        **about,
        "metrics": metrics,
    }


def to_json(results: Results, about: Mapping[str, Any]) -> str:
    """Return a run as JSON text."""
    return json.dumps(document(results, about), indent=2) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    low, middle, high = (_number(number(values)) for number in (min, statistics.median, max))
    return low if low == high else f"{low} / {middle} / {high}"


def table(results: Results) -> Iterator[str]:
    """Yield the lines of the table: min / median / max of the rounds."""
    form = "{:<31}{:<6}{:>24}{:>24}{:>8}".format
    yield form("", "", SERVER, REFERENCE, "ratio")
    for name, metric in METRICS.items():
        if targets := results.values.get(name):
            ratio = results.ratio(name)
            cells = [_cell(targets.get(target, [])) for target in (SERVER, REFERENCE)]
            yield form(metric.label, metric.unit, *cells, "" if ratio is None else f"{ratio:.2f}").rstrip()


def doubts(results: Results) -> Iterator[str]:
    """Yield a sentence for each target whose chunks did not come one at a time, as paced chunks should."""
    for target, values in results.values.get("alone", {}).items():
        if (lines := max(values)) > MOST_LINES_A_READ:
            yield (
                f"NOTE  paced, {target}: up to {lines:.2f} lines came in a read. The machine was too busy "
                "for chunks to stay apart; together they are cheaper, so this figure is too low."
            )


def parse_bounds(arguments: list[str]) -> dict[str, float]:
    """Read `name=value` bounds.

    Raises:
        ValueError: A name is not a cost, or a value is not a positive number.
    """
    bounds: dict[str, float] = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in COSTS:
            raise ValueError(f"{argument}: the name must be one of {', '.join(COSTS)}")
        try:
            bounds[name] = float(value)
        except ValueError:
            raise ValueError(f"{argument}: {value!r} is not a number") from None
        if not 0 < bounds[name] < float("inf"):
            raise ValueError(f"{argument}: the bound must be positive")
    return bounds


def exceeded(results: Results, bounds: Mapping[str, float]) -> list[str]:
    """Return one sentence for each bound that was not kept; what was not measured was not kept."""
    faults = []
    for name, bound in bounds.items():
        ratio = results.ratio(name)
        if ratio is None:
            faults.append(f"{name}: could not be compared with the reference")
        elif ratio > bound:
            faults.append(f"{name}: {ratio:.2f} times the reference, at most {bound:g} is allowed")
    return faults


def progress(text: str) -> None:
    """Say on the error stream what is being done."""
    print(text, file=sys.stderr, flush=True)
