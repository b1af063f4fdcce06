"""The command: start everything, measure, print, stop everything."""

import argparse
import asyncio
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench import cells, procfs, report, server
from bench.answers import WrongAnswer
from bench.client import Address
from bench.processes import Processes, StartFailed, accepts, free_port
from bench.report import REFERENCE, SERVER, progress

EPILOG = """\
examples:
  python -m bench                                  measure this checkout: about two minutes
  python -m bench --quick --max-ratio request=12   half a minute; fails over a bound, for CI
  python -m bench --only paced --rounds 5          one cell, more rounds
  python -m bench --json before.json               keep the figures

a server that runs already, told about the fake upstream beforehand:
  python -m bench --upstream-port 9100 --print-config > bench.yaml
  python manage.py apply bench.yaml
  python -m bench --upstream-port 9100 --url http://127.0.0.1:11434 --pid $(pgrep -of 'manage.py serve')

cells:     request, burst, writes, paced
bounds:    request, stream, burst, writes, paced: how many times the reference's cost is allowed
exit code: 0 done, 1 a bound was not kept, 2 the measurement failed
"""


@dataclass(frozen=True)
class Cores:
    """Where things run; None leaves it to the kernel."""

    server: int | None
    load: int | None

    @classmethod
    def choose(cls) -> "Cores":
        """Take the first two cores that we may use; with only one there is nothing to choose."""
        available = sorted(os.sched_getaffinity(0))
        return cls(available[0], available[1]) if len(available) > 1 else cls(None, None)

    def __str__(self) -> str:
        """Say it for the heading."""
        if self.server is None:
            return "one core for everything: figures are not comparable"
        return f"server on core {self.server}, load and upstream on core {self.load}"


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the CPU time that the server uses per request and per streamed chunk.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="short loads: a smoke run for CI")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds per cell (default 3)")
    parser.add_argument("--only", metavar="CELL[,CELL]", help="measure only these cells")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to a file")
    parser.add_argument(
        "--max-ratio",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fail if the ratio is above; repeatable",
    )
    parser.add_argument("--url", help="measure a server that runs already")
    parser.add_argument("--pid", type=int, help="its process; descendants count, too")
    parser.add_argument("--api-key", default="", metavar="KEY", help="the client key for it")
    parser.add_argument(
        "--upstream-port", type=int, metavar="PORT", help="port of the fake upstream (default: a free one)"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the configuration for `manage.py apply`"
    )
    return parser


@dataclass(frozen=True)
class Options:
    """What the command line asks for, checked."""

    plan: cells.Plan
    bounds: dict[str, float]
    json: Path | None
    running: cells.Target | None
    api_key: str
    upstream_port: int
    print_config: bool

    @classmethod
    def read(cls, arguments: Sequence[str] | None) -> "Options":
        """Read the command line; a fault ends the program with a sentence about it."""
        command = parser()
        given = command.parse_args(arguments)
        if bool(given.url) != bool(given.pid):
            command.error("--url and --pid belong together")
        if (given.url or given.print_config) and not given.upstream_port:
            command.error("--upstream-port is needed: the server must know where the upstream is")
        plan = cells.QUICK if given.quick else cells.FULL
        if given.rounds is not None:
            plan = replace(plan, rounds=given.rounds)
        if plan.rounds < 1:
            command.error("--rounds must be at least 1")
        if given.only:
            plan = replace(plan, cells=tuple(given.only.split(",")))
        if unknown := set(plan.cells) - set(cells.CELLS):
            command.error(
                f"--only: unknown cell {', '.join(sorted(unknown))}; there are {', '.join(cells.CELLS)}"
            )
        try:
            bounds = report.parse_bounds(given.max_ratio)
            running = _running(given.url, given.pid, given.api_key) if given.url else None
        except ValueError as fault:
            command.error(str(fault))
        return cls(
            plan,
            bounds,
            given.json,
            running,
            given.api_key,
            given.upstream_port or free_port(),
            given.print_config,
        )


def _running(url: str, pid: int, api_key: str) -> cells.Target:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"--url: {url!r} must be like http://127.0.0.1:11434")
    return cells.Target(SERVER, Address(parts.hostname, parts.port or 80, api_key), pid)


def start(options: Options, processes: Processes, directory: Path, cores: Cores) -> list[cells.Target]:
    """Start the upstream, the reference and, unless one runs already, the server under test."""
    port = options.upstream_port
    if accepts(port):
        raise StartFailed(f"something listens on port {port} already")
    upstream = processes.start("upstream", ["-m", "bench.upstream", "--port", str(port)], cores.load)
    upstream.wait_for_port(port)
    running = options.running
    if running is None:
        progress("starting the server")
        address = Address("127.0.0.1", free_port(), options.api_key or secrets.token_urlsafe(32))
        started = server.start(processes, directory, address.port, port, address.api_key, cores.server)
        running = cells.Target(SERVER, address, started.popen.pid)
    return [running, _start_reference(processes, port, cores)]


def _start_reference(processes: Processes, upstream_port: int, cores: Cores) -> cells.Target:
    port = free_port()
    arguments = ["-m", "bench.reference", "--port", str(port), "--upstream", f"127.0.0.1:{upstream_port}"]
    reference = processes.start(REFERENCE, arguments, cores.server)
    reference.wait_for_port(port)
    return cells.Target(REFERENCE, Address("127.0.0.1", port), reference.popen.pid)


async def measure(options: Options, targets: list[cells.Target]) -> report.Results:
    """Measure every cell of every target; they take turns, so that the machine's moods meet all alike."""
    results = report.Results()
    series = {}
    for target in targets:
        await cells.wait_until_served(target)
        series[target.name] = await _prepare(options, target, results)
    for number in range(1, options.plan.rounds + 1):
        for cell in options.plan.cells:
            for name, one in series.items():
                progress(f"round {number} of {options.plan.rounds}: {cell}, {name}")
                await one.run(cell)
    return results


async def _prepare(options: Options, target: cells.Target, results: report.Results) -> cells.Series:
    progress(f"idle and warm-up: {target.name}")
    results.add("resident", target.name, procfs.resident_mib(target.pid))
    idle = await cells.idle_us_per_s(target.pid, options.plan.idle_s)
    results.add("idle", target.name, idle)

    def note(metric: str, value: float) -> None:
        results.add(metric, target.name, value)
        progress(f"    {value:,.2f} {report.METRICS[metric].unit}  {report.METRICS[metric].label}")

    series = cells.Series(replace(target, idle_us_per_s=idle), options.plan, note)
    await series.warm_up(options.plan.cells)
    return series


def run(options: Options) -> int:
    """Make one run and say what came out."""
    cores = Cores.choose()
    about = report.machine(procfs.clock_name())
    with tempfile.TemporaryDirectory(prefix="bench-") as name, Processes(Path(name)) as processes:
        targets = start(options, processes, Path(name), cores)
        if cores.load is not None:
            os.sched_setaffinity(0, {cores.load})
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                results = runner.run(measure(options, targets))
        except (WrongAnswer, procfs.ProcessGone, OSError):
            progress(processes.last_words())
            raise
    _show(results, about, str(cores))
    if options.json is not None:
        options.json.write_text(
            report.to_json(results, about | {"pinning": str(cores), "plan": asdict(options.plan)})
        )
    faults = report.exceeded(results, options.bounds)
    for fault in faults:
        print(f"FAILED  {fault}")
    return 1 if faults else 0


def _show(results: report.Results, about: dict[str, Any], cores: str) -> None:
    print(f"Python {about['python']}, {about['system']}; load average {about['load_average']:.2f}; {cores}")
    print(
        f"CPU time from {about['clock']}; every answer was checked whole; min / median / max of the rounds\n"
    )
    print("\n".join([*report.table(results), *report.doubts(results)]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = Options.read(arguments)
    if options.print_config:
        print(server.configuration(options.upstream_port, options.api_key), end="")
        return 0
    # An asyncio runner turns SIGINT into a cancelled task; let SIGTERM take the same way out.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return run(options)
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been stopped", file=sys.stderr)
        return 130
    except (StartFailed, WrongAnswer, procfs.ProcessGone, OSError) as fault:
        print(f"bench: {type(fault).__name__}: {fault}", file=sys.stderr)
        return 2
