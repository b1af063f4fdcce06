"""The benchmark's processes: what they used, and that none of them stays."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import processes, procfs, script
from bench.client import Address, Clients, Load, Outcome
from bench.processes import Processes, StartFailed


def test_the_nanoseconds_of_threads_are_taken() -> None:
    before = procfs.CpuSample({10: 0}, {10: 5_000_000})
    after = procfs.CpuSample({10: 20_000_000}, {10: 25_000_000, 11: 3_000_000})
    assert procfs.used_ns(before, after) == 23_000_000


def test_the_time_of_a_thread_that_ended_is_not_lost() -> None:
    before = procfs.CpuSample({10: 0}, {10: 0, 11: 100_000_000})
    after = procfs.CpuSample({10: 500_000_000}, {10: 50_000_000})
    assert procfs.used_ns(before, after) == 500_000_000


def test_without_scheduler_statistics_ticks_are_taken() -> None:
    assert procfs.used_ns(procfs.CpuSample({10: 0}, {}), procfs.CpuSample({10: 10_000_000}, {})) == 10_000_000


def test_cpu_time_of_this_process_is_seen_and_bounded_by_the_time_that_passed() -> None:
    before, start = procfs.sample(os.getpid()), time.perf_counter()
    burnt_until = time.process_time() + 0.2
    while time.process_time() < burnt_until:
        pass
    used, passed = procfs.used_ns(before, procfs.sample(os.getpid())), time.perf_counter() - start
    slack = procfs.TICK_ERROR_NS
    assert 200_000_000 - slack <= used <= passed * 1e9 * (threading.active_count() + 1) + slack


def test_a_family_has_the_descendants_but_no_strangers() -> None:
    generations = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    program = generations.format(generations.format("input()"))
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
        deadline = time.monotonic() + 20
        while len(procfs.family(child.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        family = procfs.family(child.pid)
        child.communicate(b"\n")
    assert family[0] == child.pid
    assert len(family) == 3
    assert os.getpid() not in family


def test_an_ended_process_is_not_measured_as_cheap() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(procfs.ProcessGone):
        procfs.sample(child.pid)


def test_resident_memory_is_that_of_a_python_process() -> None:
    assert 5 < procfs.resident_mib(os.getpid()) < 5000


STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(child.pid, flush=True)
child.wait()
"""


def _has_ended(pid: int) -> bool:
    try:
        return procfs.family(pid) == []
    except procfs.ProcessGone:
        return True


def test_everything_that_was_started_is_stopped_even_if_it_does_not_want_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.2)
    with pytest.raises(KeyboardInterrupt), Processes(tmp_path) as started:
        stubborn = started.start("stubborn", ["-c", STUBBORN], None)
        stubborn.wait_until(lambda: stubborn.log.read_text().endswith("\n"), "starting its child")
        grandchild = int(stubborn.log.read_text())
        raise KeyboardInterrupt
    assert stubborn.popen.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while not _has_ended(grandchild) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _has_ended(grandchild)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as a terminal has it: a shell that starts programs in the background has them ignore it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("interruptible")
def test_a_ctrl_c_while_a_process_starts_comes_after_it_is_known() -> None:
    order = []
    with pytest.raises(KeyboardInterrupt), processes.undisturbed():
        signal.raise_signal(signal.SIGINT)
        order.append("known")
    assert order == ["known"]


def test_a_program_that_fails_to_start_shows_its_last_words(tmp_path: Path) -> None:
    with Processes(tmp_path) as started:
        failing = started.start("failing", ["-c", "import sys; sys.exit('no such table')"], None)
        with pytest.raises(StartFailed, match="failing ended with 1:\nno such table"):
            failing.wait_until(lambda: False, "starting")
        with pytest.raises(StartFailed, match="apply ended with 3"):
            started.run("apply", ["-c", "import sys; sys.exit(3)"], None)


def test_a_program_that_hangs_does_not_hang_the_run(tmp_path: Path) -> None:
    with Processes(tmp_path) as started:
        hanging = started.start("hanging", ["-c", "import signal; signal.pause()"], None)
        with pytest.raises(StartFailed, match="hanging: listening took over 0 s"):
            hanging.wait_until(lambda: False, "listening", timeout=0.1)


async def _drive(port: int, load: Load) -> Outcome:
    async with asyncio.timeout(30), Clients(Address("127.0.0.1", port), load) as clients:
        return await clients.run()


def test_load_reference_and_upstream_work_together(tmp_path: Path) -> None:
    upstream_port, port = processes.free_port(), processes.free_port()
    arguments = ["--port", str(port), "--upstream", f"127.0.0.1:{upstream_port}"]
    with Processes(tmp_path) as started:
        backend = started.start("upstream", ["-m", "bench.upstream", "--port", str(upstream_port)], None)
        backend.wait_for_port(upstream_port)
        relay = started.start("reference", ["-m", "bench.reference", *arguments], None)
        relay.wait_for_port(port)
        whole = asyncio.run(_drive(port, Load(script.BURST, 20, False, connections=4, exchanges=10)))
        streamed = asyncio.run(_drive(port, Load(script.WRITES, 20, True, connections=4, exchanges=10)))
    assert (whole.exchanges, whole.lines) == (10, 10)
    assert (streamed.exchanges, streamed.lines) == (10, 10 * 21)
