"""Names of mappings are unique as requests compare them: the column that the database keeps unique, its rule.

The one place where that is checked. A mapping that has lost its name to another (earlier releases could store
`foo` beside `foo:latest`, of which one was served) is off and has no canonical name, until it gets another
name or that one is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.core.exceptions import ValidationError
from django.db import models

from core.model_names import canonical

if TYPE_CHECKING:
    CharField = models.CharField[Any, Any]
else:
    CharField = models.CharField  # not subscriptable at run time


class CanonicalName(CharField):
    """What a mapping's name is compared by. A mapping that is off may go without, and then keeps no name."""

    def deconstruct(self) -> Any:
        """Be a plain field in migrations."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Follow the name."""
        mapping: Any = model_instance
        if mapping.canonical_name is not None or mapping.enabled:
            mapping.canonical_name = canonical(mapping.name)
        return mapping.canonical_name


class UniquelyNamed(models.Model):
    """What has a `name`, is `enabled` or not, and is found by the canonical form of its name."""

    name: Any
    enabled: Any
    canonical_name = CanonicalName(
        max_length=255,
        null=True,
        default="",
        editable=False,
        help_text="The form in which equal names are equal. None: it is off, since another has its name.",
    )

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Work out the canonical name with whatever it follows from."""
        fields = kwargs.get("update_fields")
        if fields is not None and {"name", "enabled"} & set(fields):
            kwargs["update_fields"] = {*fields, "canonical_name"}
        super().save(*args, **kwargs)

    def find_namesake(self) -> Self | None:
        """Find another mapping that clients cannot tell from this one, and that has the name."""
        others = type(self)._default_manager.exclude(pk=self.pk)
        return others.filter(canonical_name=canonical(self.name)).first()

    def clean(self) -> None:
        """Refuse a name that clients cannot tell from another mapping's."""
        namesake = self.find_namesake()
        if namesake is None:
            self.canonical_name = canonical(self.name)
        elif not self._is_set_aside():
            raise ValidationError({"name": f"Clients cannot tell it from the mapping {namesake.name!r}."})
        elif self.enabled:
            raise ValidationError(
                {
                    "enabled": f"Clients cannot tell it from the mapping {namesake.name!r}: rename or delete "
                    "one of them first."
                }
            )

    def _is_set_aside(self) -> bool:
        """Whether it has lost its name to another mapping, and still wants to be called so."""
        stored: Any = type(self)._default_manager  # which fields it has is not known here
        unchanged = stored.filter(pk=self.pk, name=self.name, canonical_name=None)
        return self.canonical_name is None and bool(unchanged.exists())

    def validate_constraints(self, exclude: Any = None) -> None:
        """Leave to `clean` what it says in words."""
        super().validate_constraints({*(exclude or ()), "canonical_name"})
