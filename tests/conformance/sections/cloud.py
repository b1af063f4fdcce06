"""Routes about Ollama's own cloud: off here, in the words that Ollama has for that."""

from tests.conformance.checks import has_status, keys_within, matches, ok, refused, same, true
from tests.conformance.subject import Subject
from tests.conformance.vectors import PROXY, Section

SECTION = Section("Ollama's cloud", "server/routes.go: StatusHandler, WhoamiHandler; server/cloud_proxy.go")
RECOMMENDED = ("model", "description", "context_length", "max_output_tokens", "vram_bytes", "required_plan")
DISABLED = "ollama cloud is disabled: {} is unavailable"


@SECTION.vector(145, "`GET /api/status`: the cloud is off", "TestStatusHandler")
def _(subject: Subject) -> None:
    same(
        "the status", ok(subject.server.get("/api/status")), {"cloud": {"disabled": True, "source": "config"}}
    )
    has_status(subject.server.ask("HEAD", "/api/status"), 405)


@SECTION.vector(146, "Web search and fetch: 403, as with the cloud off", "TestExperimentalWebEndpoints*")
def _(subject: Subject) -> None:
    for path, body, verb in (("search", {"query": "x"}, "web search"), ("fetch", {"url": "x"}, "web fetch")):
        answer = subject.server.post(f"/api/experimental/web_{path}", body)
        refused(answer, 403, DISABLED.format(verb))


@SECTION.vector(
    147, "`GET /api/experimental/model-recommendations`: names that are listed", "TestModelRecommendations*"
)
def _(subject: Subject) -> None:
    said = ok(subject.server.get("/api/experimental/model-recommendations"))
    keys_within("the answer", said, ("recommendations",))
    names = [entry["name"] for entry in ok(subject.server.get("/api/tags"))["models"]]
    for entry in said["recommendations"]:
        keys_within("an entry", entry, RECOMMENDED)
        true("the name is listed", entry["model"] in names, names)


@SECTION.vector(
    148, "`/api/me`: who asks, with a UUID and a name; `/api/signout`: 401, nobody is signed in", PROXY
)
def _(subject: Subject) -> None:
    user = ok(subject.server.post("/api/me"))
    same("the plan and the address", (user["plan"], user["email"]), ("free", ""))
    true("a name", bool(user["name"]), user)
    matches("the id", user["id"], r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    signed_out = "you are not currently signed in"
    refused(subject.server.post("/api/signout"), 401, signed_out)
    refused(subject.server.ask("DELETE", "/api/user/keys/abc"), 401, signed_out)
