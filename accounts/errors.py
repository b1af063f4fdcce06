"""Why a caller is refused. Facts only; HTTP is the business of `gateway.errors`."""

from __future__ import annotations


class AccessError(Exception):
    """Root of everything about who may ask."""


class KeyMissing(AccessError):
    """A client key is demanded and none was given."""


class KeyInvalid(AccessError):
    """The key is unknown, revoked or expired, or its team is disabled.

    `key_id`: the public id of a key that is known.
    """

    def __init__(self, key_id: str = "") -> None:
        super().__init__(
            f"key {key_id} is revoked, expired, or of a disabled team" if key_id else "unknown key"
        )


class ModelForbidden(AccessError):
    """The team may not use this model."""

    def __init__(self, model: str, team: str) -> None:
        super().__init__(f"{team} may not use {model}")
        self.model = model
        self.team = team


class RightMissing(AccessError):
    """The key may ask, but not for this."""

    def __init__(self, right: str, caller: str) -> None:
        super().__init__(f"{caller} lacks {right}")
        self.right = right
        self.caller = caller
