"""The command line."""

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.conformance import deployment, report
from tests.conformance.checks import Failed
from tests.conformance.runner import Result, run
from tests.conformance.subject import Subject
from tests.conformance.verdicts import Level
from tests.conformance.wire import Server

LIVE_TIMEOUT_S = 180.0
"""A model that has to be loaded first, on a machine without a GPU."""
EPILOG = """examples:
  python -m tests.conformance --url http://localhost:11434 --model llama3.2
  python -m tests.conformance --url https://llm.example.com --key $KEY --model qwen3 --embedding-model bge-m3
  python -m tests.conformance --full --markdown docs/conformance.md

A live run asks the model some sixty short questions. It changes nothing without --changes.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the matrix, and give the exit code: 1 when something failed or the page is out of date."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.full == bool(options.url):
        parser.error("give either --full, or --url and --model")
    if not options.full and not options.model:
        parser.error("--url needs --model")
    if not options.full and (options.markdown or options.check):
        parser.error("--markdown and --check describe a --full run")
    with _subject(options) as subject:
        if not _is_there(subject.server):
            return 1
        results = _printed(run(subject))
    _sum_up(results)
    return int(_has_failed(results) | _published(report.markdown(results), options.markdown, options.check))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Check whether a server answers as Ollama does.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--url", help="the server, such as http://localhost:11434")
    add("--model", help="a model that chats; better one that thinks and uses tools")
    add("--text-model", default="", metavar="MODEL", help="a model that does neither")
    add("--embedding-model", default="", metavar="MODEL", help="a model that only embeds")
    add("--key", default="", help="a client key")
    add("--timeout", type=float, default=LIVE_TIMEOUT_S, help="seconds for an answer (%(default)s)")
    add("--changes", action="store_true", help="pull, make, copy and delete models too (`conformance-*`)")
    add("--full", action="store_true", help="start this project's server, with a backend under control")
    add("--markdown", type=Path, metavar="FILE", help="write the page (docs/conformance.md)")
    add("--check", type=Path, metavar="FILE", help="fail unless FILE is the page that --markdown would write")
    return parser


def _subject(options: argparse.Namespace) -> AbstractContextManager[Subject]:
    if options.full:
        return deployment.deployed()
    return nullcontext(
        Subject(
            Server(options.url.rstrip("/"), options.key, options.timeout),
            options.model,
            text_model=options.text_model,
            embedding_model=options.embedding_model,
            may_change=options.changes,
        )
    )


def _is_there(server: Server) -> bool:
    try:
        server.get("/")
    except Failed as failure:
        print(f"{server.url} does not answer: {failure.seen}", file=sys.stderr)
        return False
    return True


def _printed(results: Iterable[Result]) -> list[Result]:
    """Print each result as it comes."""
    seen: list[Result] = []
    for result in results:
        if not seen or seen[-1].section is not result.section:
            print(f"\n{result.section.title}")
        print(report.row(result), flush=True)
        seen.append(result)
    return seen


def _sum_up(results: list[Result]) -> None:
    print()
    for line in (*report.unchecked(results), report.summary(results)):
        print(line)


def _has_failed(results: list[Result]) -> bool:
    return any(result.verdict.level is Level.FAILED for result in results)


def _published(page: str, to_write: Path | None, to_check: Path | None) -> bool:
    """Write or check the page; say whether it is out of date."""
    if to_write is not None:
        to_write.write_text(page, encoding="utf-8")
        print(f"{to_write} written")
    if to_check is None:
        return False
    published = to_check.read_text(encoding="utf-8") if to_check.exists() else ""
    changes = list(
        difflib.unified_diff(published.splitlines(), page.splitlines(), str(to_check), "now", lineterm="")
    )
    if changes:
        print("\n".join([*changes, f"{to_check} is out of date: {report.COMMAND}"]))
    return bool(changes)
