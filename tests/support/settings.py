"""The product's settings, read in an environment of the tests' own, on the database of this leg."""

import os

from tests.support import environment, legs

environment.enter()
if legs.wants_postgres() and not legs.missing(legs.POSTGRES):
    os.environ["DATABASE_URL"] = legs.url(legs.POSTGRES)

from proxy_site.settings import *  # noqa: E402, F403  # settings extend settings, after the environment is set
from proxy_site.settings import DATABASES, PROXY  # noqa: E402  # named, so that they can be changed

if PROXY.database_url.startswith("sqlite"):
    # A file, since threads and processes share it; Django's own choice is a database in one process's memory.
    DATABASES["default"]["TEST"] = {"NAME": str(environment.DATA_DIR / "test.sqlite3")}
