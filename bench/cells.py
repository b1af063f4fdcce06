"""What is measured, and the arithmetic that turns CPU time into a cost per request and per chunk."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from bench import procfs
from bench.answers import WrongAnswer
from bench.client import Address, Clients, Load, Outcome
from bench.script import BURST, WRITES, paced

INTERVAL_MS = 20
CONNECTIONS = 8
REQUEST_TOKENS = 20
BURST_LENGTHS = (20, 220)
PILOT_EXCHANGES = 50 * CONNECTIONS
LOAD_TIMEOUT_S = 120.0
FIRST_ANSWER_TIMEOUT_S = 15.0
RETRY_S = 0.1


@dataclass(frozen=True)
class Plan:
    """What to measure, and how thoroughly."""

    cells: tuple[str, ...]
    rounds: int
    cpu_s: float
    idle_s: float
    paced_streams: int
    paced_lengths: tuple[int, int]
    paced_repeats: int


FULL = Plan(
    cells=("request", "burst", "writes", "paced"),
    rounds=3,
    cpu_s=1.0,
    idle_s=2.0,
    paced_streams=40,
    paced_lengths=(25, 125),
    paced_repeats=2,
)
QUICK = Plan(
    cells=("request", "burst", "paced"),
    rounds=3,
    cpu_s=0.25,
    idle_s=1.0,
    paced_streams=40,
    paced_lengths=(10, 60),
    paced_repeats=1,
)


@dataclass(frozen=True)
class Target:
    """A server to measure: where it listens, which process it is, and what it uses when nobody asks it."""

    name: str
    address: Address
    pid: int
    idle_us_per_s: float = 0.0


@dataclass(frozen=True)
class Measured:
    """The server's CPU time for one load, its idle work taken off."""

    us: float
    outcome: Outcome

    @property
    def us_per_exchange(self) -> float:
        """CPU microseconds for one exchange."""
        return self.us / self.outcome.exchanges


@dataclass(frozen=True)
class Costs:
    """The cost of a stream as a line: so much for the stream, so much more for each chunk."""

    fixed: float
    chunk: float


def line_through(lengths: tuple[int, int], costs: tuple[float, float]) -> Costs:
    """Return intercept and slope of the line through two stream lengths and their costs."""
    (short, long), (at_short, at_long) = lengths, costs
    chunk = (at_long - at_short) / (long - short)
    return Costs(at_short - chunk * short, chunk)


def exchanges_for(cpu_s: float, us_per_exchange: float, connections: int) -> int:
    """Return how many exchanges use so much CPU time: a multiple of the connections, at least one each."""
    wanted = cpu_s * 1e6 / max(us_per_exchange, 1.0)
    return connections * max(1, math.ceil(wanted / connections))


async def idle_us_per_s(pid: int, seconds: float) -> float:
    """Measure what a process uses while nobody asks it anything."""
    before, start = procfs.sample(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    used = procfs.used_ns(before, procfs.sample(pid))
    return used / 1000 / (time.perf_counter() - start)


async def measure(target: Target, load: Load) -> Measured:
    """Carry a load out and take the server's CPU time."""
    try:
        async with asyncio.timeout(LOAD_TIMEOUT_S), Clients(target.address, load) as clients:
            before = procfs.sample(target.pid)
            outcome = await clients.run()
            used = procfs.used_ns(before, procfs.sample(target.pid))
    except TimeoutError:
        raise TimeoutError(f"{target.name} did not finish {load} in {LOAD_TIMEOUT_S:.0f} s") from None
    return Measured(used / 1000 - target.idle_us_per_s * outcome.seconds, outcome)


async def wait_until_served(target: Target) -> None:
    """Ask until the configuration has arrived in the server and the first right answer comes.

    Raises:
        WrongAnswer: It never came; this is the last fault.
        OSError: Likewise.
    """
    load = Load(BURST, 1, stream=False, connections=1, exchanges=1)
    deadline = time.monotonic() + FIRST_ANSWER_TIMEOUT_S
    while True:
        try:
            await measure(target, load)
        except (WrongAnswer, OSError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_S)
        else:
            return


Report = Callable[[str, float], None]


class Series:
    """All cells of one target. A pilot run warms the server up and finds the number of exchanges."""

    def __init__(self, target: Target, plan: Plan, report: Report) -> None:
        """Measure nothing yet."""
        self._target, self._plan, self._report = target, plan, report
        self._sized: dict[Load, Load] = {}

    async def run(self, cell: str) -> None:
        """Measure one cell once."""
        await CELLS[cell](self)

    async def warm_up(self, cells: Iterable[str]) -> None:
        """Run each closed-loop load of these cells until the server is warm."""
        for cell in cells:
            for load in LOADS[cell]:
                self._sized[load] = await self._size(load)

    async def _size(self, load: Load) -> Load:
        pilot = replace(load, exchanges=PILOT_EXCHANGES)
        await measure(self._target, pilot)
        cost = (await measure(self._target, pilot)).us_per_exchange
        return replace(load, exchanges=exchanges_for(self._plan.cpu_s, cost, load.connections))

    async def request(self) -> None:
        """One whole answer of twenty tokens."""
        (load,) = LOADS["request"]
        measured = await measure(self._target, self._sized[load])
        self._report("request", measured.us_per_exchange)
        self._report("rate", measured.outcome.exchanges / measured.outcome.seconds)

    async def burst(self) -> None:
        """Streams sent as fast as the socket takes them: many chunks in each read."""
        costs = await self._streams("burst")
        self._report("stream", costs.fixed)
        self._report("burst", costs.chunk)

    async def writes(self) -> None:
        """The same with one write per chunk: fewer chunks in each read."""
        self._report("writes", (await self._streams("writes")).chunk)

    async def _streams(self, cell: str) -> Costs:
        short, long = [await measure(self._target, self._sized[load]) for load in LOADS[cell]]
        return line_through(BURST_LENGTHS, (short.us_per_exchange, long.us_per_exchange))

    async def paced(self) -> None:
        """Streams at the pace of a real model: each chunk is a read, a wake-up and a write of its own."""
        short, long = [
            await measure(self._target, self._paced_load(length)) for length in self._plan.paced_lengths
        ]
        costs = line_through(self._plan.paced_lengths, (short.us_per_exchange, long.us_per_exchange))
        self._report("paced", costs.chunk)
        self._report("alone", long.outcome.lines / long.outcome.reads)

    def _paced_load(self, length: int) -> Load:
        streams = self._plan.paced_streams
        return Load(paced(INTERVAL_MS), length, True, streams, streams * self._plan.paced_repeats)


def _streams_of(model: str) -> tuple[Load, ...]:
    return tuple(Load(model, length, True, CONNECTIONS, 0) for length in BURST_LENGTHS)


LOADS: dict[str, tuple[Load, ...]] = {
    "request": (Load(BURST, REQUEST_TOKENS, False, CONNECTIONS, 0),),
    "burst": _streams_of(BURST),
    "writes": _streams_of(WRITES),
    "paced": (),
}
CELLS: dict[str, Callable[[Series], Awaitable[None]]] = {
    "request": Series.request,
    "burst": Series.burst,
    "writes": Series.writes,
    "paced": Series.paced,
}
