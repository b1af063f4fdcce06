"""A configuration file brought into the database, in one transaction: all of it, or nothing."""

from __future__ import annotations

from django.db import transaction

from backends.checks import list_plain_secrets
from console.configfile.apply_access import apply_teams, prune_teams
from console.configfile.apply_routing import apply_backends, apply_mappings, prune_backends, prune_mappings
from console.configfile.parsing import list_entries
from console.configfile.problems import ConfigError
from console.configfile.run import Run
from console.configfile.schema import Config
from core.changes import exclusive
from core.revisions import ACCESS, ROUTING


def apply(config: Config, run: Run, *, dry_run: bool = False) -> None:
    """Bring the file in. `run` holds afterwards what changed.

    What it compares with is read inside the transaction, in which nobody else changes anything.

    A dry run does everything and takes it back, so that it reports neither more nor less.

    Raises:
        ConfigError: with every problem that was found; nothing was written.
    """
    with exclusive(ROUTING, ACCESS):
        _apply_routing(config, run)
        apply_teams(run, list_entries(config.teams))
        if run.prune and isinstance(config.teams, list):
            prune_teams(run, config.teams)
        if run.problems:
            raise ConfigError(run.problems)
        run.notes += list_plain_secrets()
        if dry_run:
            transaction.set_rollback(True)


def _apply_routing(config: Config, run: Run) -> None:
    backends = apply_backends(run, list_entries(config.backends))
    may_prune_backends = run.prune and isinstance(config.backends, list)
    if may_prune_backends:
        named = {entry.name for entry in list_entries(config.backends)}
        backends = {name: backend for name, backend in backends.items() if name in named}
    in_file = apply_mappings(run, list_entries(config.mappings), backends)
    if run.prune and isinstance(config.mappings, list):
        prune_mappings(run, in_file)
    if may_prune_backends:
        prune_backends(run, list_entries(config.backends))
