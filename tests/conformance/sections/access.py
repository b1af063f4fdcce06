"""Origins, hosts and keys."""

from tests.conformance.checks import has_status, matches, ok, plain, refused, same, true
from tests.conformance.subject import Subject
from tests.conformance.vectors import PROXY, WIRE, Need, Section
from tests.conformance.wire import Answer

SECTION = Section(
    "Origins, hosts, keys", "envconfig/config.go: AllowedOrigins; server/routes.go: allowedHostsMiddleware"
)
LOCAL_ORIGIN = "http://localhost:3000"
APPS = ("app://obsidian.md", "vscode-webview://x", "tauri://localhost", "file://x")


def _refused_unread(answer: Answer) -> None:
    has_status(answer, 403)
    same(f"{answer.asked}: an empty body", answer.body, b"")


@SECTION.vector(96, "A foreign origin: 403 with an empty body, whatever the method", WIRE)
def _(subject: Subject) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        _refused_unread(subject.server.ask(method, "/api/tags", headers={"Origin": "https://evil.example"}))
    _refused_unread(subject.server.get("/api/tags", {"Origin": "null"}))


@SECTION.vector(97, "A preflight from localhost: 204, the origin back, `Authorization` allowed", WIRE)
def _(subject: Subject) -> None:
    asked = {
        "Origin": LOCAL_ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = subject.server.with_key("").ask("OPTIONS", "/api/chat", headers=asked)
    has_status(answer, 204)
    same("the origin", answer.header("Access-Control-Allow-Origin"), LOCAL_ORIGIN)
    allowed = answer.header("Access-Control-Allow-Headers").lower().replace(" ", "").split(",")
    true("the headers", {"authorization", "content-type"} <= set(allowed), allowed)
    methods = answer.header("Access-Control-Allow-Methods")
    same("the methods", methods, "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS")
    same("for how long", answer.header("Access-Control-Max-Age"), "43200")
    same("credentials", answer.header("Access-Control-Allow-Credentials"), "")


@SECTION.vector(98, "The origins of apps and of VS Code are allowed", WIRE)
def _(subject: Subject) -> None:
    for origin in APPS:
        answer = subject.server.get("/api/tags", {"Origin": origin})
        ok(answer)
        same("the origin", answer.header("Access-Control-Allow-Origin"), origin)
        true("caches are told", "origin" in answer.header("Vary").lower(), answer.header("Vary"))


@SECTION.vector(
    99, "Where keys are demanded: 401 as `ollama` shows it; `/` and the version stay open", PROXY, Need.KEY
)
def _(subject: Subject) -> None:
    nobody = subject.server.with_key("")
    answer = nobody.post("/api/chat", subject.call())
    same("the sentence is the status", refused(answer, 401), answer.json["status"])
    matches("the page", answer.json["signin_url"], r"https?://\S+/connect")
    refused(nobody.post("/api/me"), 401)
    refused(nobody.get("/api/tags"), 401)
    refused(subject.server.with_key("wrong").get("/api/tags"), 401)
    has_status(nobody.ask("HEAD", "/"), 200)
    plain(nobody.get("/"), 200, "Ollama is running")
    ok(nobody.get("/api/version"))


@SECTION.vector(143, "The server's own origin needs no permission", WIRE, Need.LOCAL)
def _(subject: Subject) -> None:
    answer = subject.server.get("/api/tags", {"Origin": "http://localhost:1", "Host": "localhost:1"})
    ok(answer)
    same("the origin", answer.header("Access-Control-Allow-Origin"), "")


@SECTION.vector(144, "A foreign `Host`: 403 with an empty body, also for unknown paths", WIRE, Need.LOCAL)
def _(subject: Subject) -> None:
    for path in ("/", "/api/tags", "/nope"):
        for host in ("evil.example", "8.8.8.8"):
            _refused_unread(subject.server.get(path, {"Host": host}))
    for host in ("x.localhost", "x.local", "x.internal", "127.0.0.1:5"):
        has_status(subject.server.get("/", {"Host": host}), 200)
