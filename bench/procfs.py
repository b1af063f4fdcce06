"""CPU time and memory of a process and its descendants, from /proc.

`/proc/PID/task/TID/schedstat` counts nanoseconds. `/proc/PID/stat` counts ticks of 10 ms; that is all there
is on a kernel without scheduler statistics, but it keeps the time of threads that have ended.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# utime and stime are each cut to whole ticks, at both ends of the interval.
TICK_ERROR_NS = 2 * TICK_NS


class ProcessGone(Exception):
    """The process that is measured has ended."""


@dataclass(frozen=True)
class CpuSample:
    """CPU time used so far: in ticks by process, in nanoseconds by thread."""

    processes: dict[int, int]
    threads: dict[int, int]


def has_schedstat() -> bool:
    """Say whether this kernel counts nanoseconds."""
    return _thread_ns(os.getpid(), os.getpid()) is not None


def clock_name() -> str:
    """Name the clock in use."""
    if has_schedstat():
        return "/proc/PID/task/TID/schedstat (nanoseconds)"
    return f"utime and stime of /proc/PID/stat (ticks of {TICK_NS // 1_000_000} ms)"


def _stat_fields(pid: int) -> list[str] | None:
    """Return what follows the command's name, which may itself hold spaces and brackets."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _numbers(directory: Path) -> list[int]:
    try:
        return [int(entry.name) for entry in directory.iterdir() if entry.name.isdecimal()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def family(root: int) -> list[int]:
    """Return a process and all its descendants.

    Raises:
        ProcessGone: There is no such process.
    """
    children: dict[int, list[int]] = {}
    for pid in _numbers(PROC):
        if fields := _stat_fields(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    fields = _stat_fields(root)
    if fields is None or fields[0] == "Z":
        raise ProcessGone(f"process {root} has ended")
    return list(_descend(root, children))


def _descend(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, []):
        yield from _descend(child, children)


def _process_ns(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return None if fields is None else (int(fields[11]) + int(fields[12])) * TICK_NS


def _thread_ns(pid: int, thread: int) -> int | None:
    try:
        return int((PROC / str(pid) / "task" / str(thread) / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return None


def sample(root: int) -> CpuSample:
    """Read the CPU time of a process and its descendants."""
    processes: dict[int, int] = {}
    threads: dict[int, int] = {}
    for pid in family(root):
        if (used := _process_ns(pid)) is not None:
            processes[pid] = used
        for thread in _numbers(PROC / str(pid) / "task"):
            if (used := _thread_ns(pid, thread)) is not None:
                threads[thread] = used
    return CpuSample(processes, threads)


def _grown(before: dict[int, int], after: dict[int, int]) -> int:
    return sum(used - before.get(number, 0) for number, used in after.items())


def used_ns(before: CpuSample, after: CpuSample) -> int:
    """Return the CPU time used between two samples.

    The nanoseconds are taken unless the ticks show clearly more: then a thread ended and took its count
    with it.
    """
    by_thread = _grown(before.threads, after.threads)
    by_process = _grown(before.processes, after.processes)
    lost = by_process - by_thread > TICK_ERROR_NS * max(1, len(after.processes))
    return by_process if lost or not after.threads else by_thread


def resident_mib(root: int) -> float:
    """Return the resident memory of a process and its descendants; shared pages count in each."""
    return sum(_resident_kib(pid) for pid in family(root)) / 1024


def _resident_kib(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
