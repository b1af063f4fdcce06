"""What `.ci/container` looks at: the image, compose.yaml, and the answers of the running container.

The standard library only, since a bare machine runs it. Nothing is printed but what is worth reading; what
is not as it should be ends the program with a message.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import secrets
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

APP_USER = "10001:10001"
OURS = ("app", "opt/venv")
# What must not be in the image: secrets and databases of the checkout, its history, tests, build tools.
UNWANTED_IN_APP = (".env", ".git", "data", "tests", "requirements-dev.txt", "node_modules")
UNWANTED_PROGRAMS = ("opt/venv/bin/pip", "usr/bin/gcc", "usr/bin/cc", "usr/local/bin/gcc")
START_TIMEOUT_S = 60.0
# A change of the routes is seen within a second by every process; the rest is a busy machine's.
APPLY_TIMEOUT_S = 10.0
ASKED = "echo: one house, any backend, and all of it in a container"
EXPECTED = ASKED.removeprefix("echo: ")


class Answer(NamedTuple):
    """One HTTP answer, read to its end."""

    status: int
    body: bytes


def check(is_so: bool, otherwise: str) -> None:
    """End the program with a message unless something is so."""
    if not is_so:
        sys.exit(f"!! {otherwise}")


def say(text: str) -> None:
    """Print one line under the step that the script has announced."""
    sys.stdout.write(f"   {text}\n")


# --- The image ---


def check_image(inspected: Path, root: Path) -> None:
    """Check what the image declares, then the files it is made of."""
    config = json.loads(inspected.read_text())["Docker"]["config"]
    check(config["User"] == APP_USER, f"runs as {config['User']!r}, not {APP_USER}")
    check(list(config["Volumes"]) == ["/data"], f"volumes are {config['Volumes']}, not /data alone")
    check(list(config["ExposedPorts"]) == ["11434/tcp"], f"exposes {config['ExposedPorts']}")
    check(config["StopSignal"] in ("SIGTERM", "15"), f"is stopped by {config['StopSignal']}")
    check(config["Healthcheck"]["Test"][0] == "CMD", "has no health check that needs no shell")
    check("org.opencontainers.image.title" in config["Labels"], "has no OCI labels")
    names = {line.partition("=")[0] for line in config["Env"]}
    check({"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} <= names, f"environment is {sorted(names)}")
    secret = [name for name in names if name.startswith("PIP_") or "SECRET" in name or "KEY" in name]
    check(not secret, f"environment holds {secret}")
    check_files(root)


def check_files(root: Path) -> None:
    """Check that the server owns nothing but its volume, and that nothing was left in."""
    for top in OURS:
        for path in (root / top, *(root / top).rglob("*")):
            check(is_out_of_reach(path.lstat()), f"the server could change /{path.relative_to(root)}")
    left = [name for name in UNWANTED_IN_APP if (root / "app" / name).exists()]
    left += [name for name in UNWANTED_PROGRAMS if (root / name).exists()]
    left += [str(path) for path in (root / "root/.cache").rglob("*")]
    left += [str(path) for path in (root / "app").rglob("*.sqlite3")]
    check(not left, f"the image holds {left}")
    check((root / "app/static/admin/css/base.css").is_file(), "collectstatic is not baked in")
    sources = [path for top in OURS for path in (root / top).rglob("*.py")]
    bare = [path for path in sources if not has_byte_code(path)]
    check(len(bare) < len(sources) // 100, f"{len(bare)} of {len(sources)} modules lack byte code")
    tags = {path.name.split(".")[-2] for path in (root / "app").rglob("*.pyc")}
    check(len(tags) == 1, f"byte code of the checkout came along: {sorted(tags)}")
    data = (root / "data").stat()
    check(f"{data.st_uid}:{data.st_gid}" == APP_USER, "the volume is not the server's own")
    check(not list((root / "data").iterdir()), "the volume is not empty")


def is_out_of_reach(status: os.stat_result) -> bool:
    """Say whether root owns a file and nobody else may write it; a link's own mode means nothing."""
    is_shared = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    return status.st_uid == 0 and (stat.S_ISLNK(status.st_mode) or not is_shared)


def has_byte_code(source: Path) -> bool:
    """Say whether a module was compiled where Python looks for it."""
    return any((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))


# --- compose.yaml ---


def check_compose(profile: str, resolved: Path) -> None:
    """Check one profile as Compose itself resolved it."""
    services: dict[str, Any] = json.loads(resolved.read_text())["services"]
    expected = {"sqlite": {"llamagate"}, "postgres": {"llamagate-postgres", "postgres", "redis"}}[profile]
    check(set(services) == expected, f"profile {profile} has the services {sorted(services)}")
    for name, service in services.items():
        check(service.get("read_only") is True, f"{name}: the root is not read-only")
        check(service.get("cap_drop") == ["ALL"], f"{name}: capabilities are not dropped")
        check(service.get("security_opt") == ["no-new-privileges:true"], f"{name}: privileges can be gained")
        check(name.startswith("llamagate") or "healthcheck" in service, f"{name}: no health check")
    ours = services[next(name for name in expected if name.startswith("llamagate"))]
    check(ours["stop_grace_period"] == "40s", "the grace is not 40 s")
    check([volume["target"] for volume in ours["volumes"]] == ["/data"], "the volume is not /data")
    waits = {name: wait["condition"] for name, wait in ours.get("depends_on", {}).items()}
    needed = {name for name in expected if not name.startswith("llamagate")}
    check(waits == dict.fromkeys(needed, "service_healthy"), f"waits for {waits}, not for {needed}")
    say(f"profile {profile}: {', '.join(sorted(services))}")


# --- The running container ---


def connect(port: int) -> http.client.HTTPConnection:
    """Make a connection to the container that gives up in the end."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=20)


def ask(port: int, path: str, body: Any = None, **headers: str) -> Answer:
    """Send one request and read its answer; with a body it is a POST."""
    connection = connect(port)
    try:
        payload = None if body is None else json.dumps(body)
        sent = {"Host": "localhost", "Content-Type": "application/json"} | headers
        connection.request("GET" if body is None else "POST", path, payload, sent)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def until(is_so: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Ask ten times a second until something is so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        check(time.monotonic() < deadline, f"{otherwise} within {timeout_s:.0f} s")
        time.sleep(0.1)


def wait_ready(port: int, pid: int) -> None:
    """Wait until the container answers; stop waiting when its process is gone."""
    began = time.monotonic()

    def answers() -> bool:
        check(is_running(pid), "the container ended before it answered")
        try:
            return ask(port, "/").status == 200
        except OSError:
            return False

    until(answers, START_TIMEOUT_S, "no answer")
    say(f"ready in {time.monotonic() - began:.1f} s")


def is_running(pid: int) -> bool:
    """Say whether a process exists and has not ended; one that nobody waited for yet is a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except FileNotFoundError:
        return False
    return not state.startswith("Z")


def chat_request(model: str, *, stream: bool) -> dict[str, Any]:
    """Write a chat whose answer we know: the fake backend says it back."""
    return {"model": model, "messages": [{"role": "user", "content": ASKED}], "stream": stream}


def check_refusals(port: int) -> None:
    """Check that the door is shut: without a key, with a wrong one, and for a foreign host name."""
    body = chat_request("fake-model", stream=False)
    answer = ask(port, "/api/chat", body)
    check(answer.status == 401, f"without a key: {answer}")
    answer = ask(port, "/api/chat", body, Authorization=f"Bearer {secrets.token_urlsafe(32)}")
    check(answer.status == 401, f"with an unknown key: {answer}")
    answer = ask(port, "/api/chat", body, Host="rebound.example")
    check(answer.status == 403, f"for a foreign host name: {answer}")
    say("401 without a key and with an unknown one, 403 for a foreign host name")


def check_chat(port: int, key: str) -> None:
    """Chat whole and streamed with the key, as soon as the routes that were applied are in force."""
    authorization = f"Bearer {key}"

    def lists_models() -> bool:
        return ask(port, "/api/tags", Authorization=authorization).status == 200

    until(lists_models, APPLY_TIMEOUT_S, "the key that was applied does not open the door")
    models = json.loads(ask(port, "/api/tags", Authorization=authorization).body)["models"]
    check(bool(models), "no model is listed")
    model = models[0]["name"]
    answer = ask(port, "/api/chat", chat_request(model, stream=False), Authorization=authorization)
    check(answer.status == 200, f"chat: {answer}")
    whole = json.loads(answer.body)
    check(whole["done"] is True and whole["message"]["content"] == EXPECTED, f"chat: {whole}")
    check_stream(list(stream_lines(port, model, authorization)))
    answer = ask(port, "/static/admin/css/base.css")
    check(answer.status == 200 and len(answer.body) > 1000, f"style sheet of the admin: {answer.status}")
    check(ask(port, "/admin/login/").status == 200, "no log-in page of the admin")
    say(f"{model}: chat whole and streamed, log-in page with its style sheet")


def stream_lines(port: int, model: str, authorization: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a streamed chat."""
    connection = connect(port)
    headers = {"Host": "localhost", "Content-Type": "application/json", "Authorization": authorization}
    connection.request("POST", "/api/chat", json.dumps(chat_request(model, stream=True)), headers)
    response = connection.getresponse()
    check(response.status == 200, f"stream: {response.status}")
    check(response.getheader("Content-Type") == "application/x-ndjson", f"stream: {response.headers}")
    yield from map(json.loads, response)
    connection.close()


def check_stream(lines: list[dict[str, Any]]) -> None:
    """Check that a stream came in pieces, ended once, and said all of it."""
    check(len(lines) > 2, f"stream came in {len(lines)} lines: {lines}")
    check([line["done"] for line in lines] == [False] * (len(lines) - 1) + [True], f"stream: {lines}")
    text = "".join(line["message"]["content"] for line in lines)
    check(text == EXPECTED, f"stream said {text!r}")


# --- Small things that a shell can not do ---


def free_port() -> str:
    """Find a port that is free on every address."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - the container will bind every address, so ask for that
        return str(probe.getsockname()[1])


def parser() -> argparse.ArgumentParser:
    """Describe what the script may ask for."""
    main_parser = argparse.ArgumentParser(description=__doc__)
    commands = main_parser.add_subparsers(dest="command", required=True)
    image = commands.add_parser("image")
    image.add_argument("inspected", type=Path)
    image.add_argument("root", type=Path)
    compose = commands.add_parser("compose")
    compose.add_argument("profile")
    compose.add_argument("resolved", type=Path)
    for name in ("ready", "refused", "chat"):
        commands.add_parser(name).add_argument("--port", type=int, required=True)
    commands.choices["ready"].add_argument("--pid", type=int, required=True)
    for name in ("port", "token", "fernet"):
        commands.add_parser(name)
    return main_parser


def main() -> None:
    """Do what the first argument names."""
    options = parser().parse_args()
    match options.command:
        case "image":
            check_image(options.inspected, options.root)
        case "compose":
            check_compose(options.profile, options.resolved)
        case "ready":
            wait_ready(options.port, options.pid)
        case "refused":
            check_refusals(options.port)
        case "chat":
            check_chat(options.port, os.environ["CLIENT_KEY"])
        case "port":
            sys.stdout.write(free_port())
        case "token":
            sys.stdout.write(secrets.token_urlsafe(40))
        case "fernet":
            sys.stdout.write(base64.urlsafe_b64encode(os.urandom(32)).decode())


if __name__ == "__main__":
    main()
