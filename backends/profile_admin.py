"""What the admin says of a backend that was saved: former names in its profile, a dialect for its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.forms import ModelForm
from django.http import HttpRequest

from backends.models import Backend
from backends.wire.dialects import of_address
from backends.wire.profile_names import describe_old_names

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    BackendModelAdmin = ModelAdmin[Backend]
else:
    BackendModelAdmin = object

MAX_NAMES_SHOWN = 8


class ProfileNamesAdmin(BackendModelAdmin):
    """Laid over an admin class, whatever it is made of."""

    def save_model(self, request: HttpRequest, obj: Backend, form: ModelForm[Backend], change: Any) -> None:
        """Save, and say what fields of the profile are called now: the model itself renames them."""
        super().save_model(request, obj, form, change)
        kind = of_address(obj.base_url)
        if obj.dialect == "generic" and kind.name != obj.dialect:
            message = (
                f"This is an address of {kind.label}: its dialect {kind.name} knows what is particular there."
            )
            self.message_user(request, message, messages.WARNING)
        sentences = describe_old_names(form.cleaned_data.get("profile"))
        if sentences:
            message = " ".join(sentences[:MAX_NAMES_SHOWN])
            self.message_user(request, f"Renamed in the profile: {message}", messages.WARNING)
