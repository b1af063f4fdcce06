"""What goes into the image: every package of ours, and nothing that is not named."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
NOT_SERVED = {"tests", "bench"}


def test_every_package_goes_into_the_image() -> None:
    named = {
        line[1:].strip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_SERVED
    assert packages
    assert packages <= named, "name a new package in .dockerignore"
