"""A model field for secrets: write-only in spirit, sealed in the database, silent in a repr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import models

from core import crypto


class Sealed:
    """A secret as it lies in the database. It opens only for the place that it was sealed for."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token

    def open(self, *bindings: str) -> str:
        """Give the secret, if it was sealed for one of these places. Raises `crypto.SecretUnreadable`."""
        return crypto.unseal(self.token, *bindings)

    def __repr__(self) -> str:
        return "<Sealed>"

    __str__ = __repr__


if TYPE_CHECKING:
    TextField = models.TextField[Any, Any]
else:
    TextField = models.TextField  # not subscriptable at run time


class SealedField(TextField):
    """Assign text, save, and it is sealed for the row: the model's `seal_binding()` names the place.

    Reading gives a `Sealed`. Looking a row up by the secret is refused, since no two seals are alike and
    such a filter would silently match nothing.
    """

    def from_db_value(self, value: str | None, *_: Any) -> Sealed | None:
        """Wrap the ciphertext."""
        return None if value is None else Sealed(value)

    def to_python(self, value: Any) -> Any:
        """Leave what is sealed alone: its text would be the word that stands for it in a repr."""
        return value if isinstance(value, Sealed) else super().to_python(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Seal what was assigned as text since the last save."""
        value = getattr(model_instance, self.attname)
        if isinstance(value, str):
            binding: str = model_instance.seal_binding()  # type: ignore[attr-defined]
            value = Sealed(crypto.seal(value, binding))
            setattr(model_instance, self.attname, value)
        return value

    def get_prep_value(self, value: Any) -> Any:
        """Let only sealed values through to the database."""
        if isinstance(value, str):
            raise FieldError(
                f"{self.name}: save the row through its model, so that the secret is sealed first."
            )
        return value.token if isinstance(value, Sealed) else value

    def get_lookup(self, lookup_name: str) -> Any:
        """Refuse every look-up but `isnull`."""
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is sealed: it cannot be searched.")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:
        """Keep secrets out of `dumpdata`."""
        return ""
