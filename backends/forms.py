"""Forms of the admin: keys that are written and never shown, options as JSON, words as checkboxes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from backends import example_turns
from backends.mapping_details import Described
from backends.models import Backend, Credential, ModelMapping
from backends.validators import validate_object
from backends.wire.model_cards import CAPABILITIES
from backends.wire.origin import origin_of
from core import crypto, plain_secrets

if TYPE_CHECKING:
    BackendModelForm = forms.ModelForm[Backend]
    CredentialModelForm = forms.ModelForm[Credential]
    MappingModelForm = forms.ModelForm[ModelMapping]
    CredentialModelFormSet = forms.BaseInlineFormSet[Credential, Backend, CredentialModelForm]
else:
    BackendModelForm = CredentialModelForm = MappingModelForm = forms.ModelForm
    CredentialModelFormSet = forms.BaseInlineFormSet

FormT = TypeVar("FormT", bound=forms.BaseForm)
PASTE_AGAIN = "Paste the key again: it was not saved, and a key is never shown again."


class ProfileField(forms.JSONField):
    """A profile as JSON. What looks like a credential is hidden: an earlier release may have stored one."""

    def prepare_value(self, value: Any) -> Any:
        """Hide it in what is stored, and in what was typed and refused."""
        return super().prepare_value(value if isinstance(value, str) else plain_secrets.mask(value))


class BackendForm(BackendModelForm):
    """A backend without its keys."""

    may_give_keys = True
    """Whether the person may change API keys. Set by the admin."""

    class Meta:
        model = Backend
        fields = ["name", "base_url", "dialect", "enabled", "verify_tls", "profile", "notes"]
        field_classes = {"profile": ProfileField}

    def clean(self) -> Any:
        """Those who may not give keys cannot lead a backend with keys to another server."""
        cleaned = super().clean()
        wanted = self.cleaned_data.get("base_url")
        if wanted and self.instance.pk and not self.may_give_keys:
            origin = origin_of(wanted)
            if origin != self.instance.origin and self._strands_keys(origin):
                self.add_error(
                    "base_url",
                    f"The API keys of this backend were given for {self.instance.origin} and are sent to no "
                    "other server. Somebody who may change API keys has to give them again with this URL.",
                )
        return cleaned

    def _strands_keys(self, origin: str) -> bool:
        live: models.QuerySet[Credential] = self.instance.credentials.filter(retired_at__isnull=True)
        return live.exclude(origin=origin).exists()


class KeyField(forms.CharField):
    """An API key: never rendered, and changed only by something being typed."""

    def __init__(self, **kwargs: Any) -> None:
        # Not "off": browsers ignore that for passwords and would put the operator's own in.
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
        super().__init__(required=False, max_length=4096, widget=widget, **kwargs)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """A blank field keeps what is stored."""
        return bool(data and data.strip())

    def clean(self, value: Any) -> str:
        """Refuse what no header can carry, and say early when nothing can be sealed."""
        key: str = super().clean(value)
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ValidationError("A key holds no spaces, line ends or letters beyond ASCII.")
        if key:
            _require_sealing()
        return key


def _require_sealing() -> None:
    try:
        crypto.seal("", "")
    except ImproperlyConfigured as error:
        raise ValidationError(str(error)) from None


class CredentialForm(CredentialModelForm):
    """One row of a backend's keys."""

    api_key = KeyField(label="API key", help_text="Stored encrypted and never shown again.")
    retired = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="A retired key is kept, but used no more. Requests under way finish with it.",
    )

    class Meta:
        model = Credential
        fields = ["label"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_stored = not self.instance._state.adding
        hint = f"•••• {self.instance.hint}".rstrip() if is_stored else ""
        self.fields["api_key"].widget.attrs["placeholder"] = (
            f"{hint}, leave blank to keep" if is_stored else "Paste a key"
        )
        self.fields["retired"].initial = self.instance.retired_at is not None

    def clean_api_key(self) -> str:
        """A new row needs a key."""
        key: str = self.cleaned_data["api_key"]
        if not key and self.instance._state.adding:
            raise ValidationError("Paste the key, or remove this row.")
        return key

    def ask_again(self) -> None:
        """Where the form comes back, say that a pasted key does not: no page ever holds a key."""
        if self.fields["api_key"].has_changed(None, self["api_key"].data):
            self.add_error("api_key", PASTE_AGAIN)

    def save(self, commit: bool = True) -> Credential:
        """Take the new key, if one was typed, and note when it was retired."""
        if key := self.cleaned_data["api_key"]:
            self.instance.secret = key
        if not self.cleaned_data["retired"]:
            self.instance.retired_at = None
        elif self.instance.retired_at is None:
            self.instance.retired_at = timezone.now()
        return super().save(commit)


class CredentialFormSet(CredentialModelFormSet):
    """All keys of one backend."""

    def clean(self) -> None:
        """Live keys need different labels, and are for the server that the base URL leads to now."""
        super().clean()
        live = [
            form for form in list_remaining_forms(self.forms) if form.cleaned_data.get("retired") is False
        ]
        self._check_labels(live)
        for form in live:
            if not form.cleaned_data.get("api_key") and not form.instance._state.adding:
                self._check_origin(form)

    def _check_labels(self, live: list[CredentialModelForm]) -> None:
        """Forms cannot check the constraint themselves: it has a condition."""
        seen: set[str] = set()
        for form in live:
            label = form.cleaned_data.get("label", "")
            if label in seen:
                form.add_error("label", f"Another live key has the label {label!r}.")
            seen.add(label)

    def _check_origin(self, form: CredentialModelForm) -> None:
        backend, key = self.instance, form.instance
        if backend.origin and not key.is_for(backend):
            form.fields["api_key"].widget.attrs["placeholder"] = "Paste the key for this server"
            form.add_error(
                "api_key",
                f"This key was given for {key.origin or 'no server'} and is sent nowhere else. Paste it "
                f"again to use it at {backend.origin}, or retire it.",
            )


def list_remaining_forms(found: Iterable[FormT]) -> list[FormT]:
    """Give the rows of a formset that are filled in, valid so far, and not about to be deleted."""
    return [form for form in found if _get_cleaned_data(form) and not _get_cleaned_data(form).get("DELETE")]


def _get_cleaned_data(form: forms.BaseForm) -> dict[str, Any]:
    return getattr(form, "cleaned_data", {})


class OptionsField(forms.JSONField):
    """A JSON object as text: indented, empty when there is nothing, and errors that name the place."""

    widget = UnfoldAdminTextareaWidget

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 4, "placeholder": '{"temperature": 0.2, "num_ctx": 8192}', "spellcheck": "false"}
        super().__init__(
            required=False, widget=UnfoldAdminTextareaWidget(attrs), validators=[validate_object], **kwargs
        )

    def to_python(self, value: Any) -> Any:
        """Read the text; nothing is an empty object."""
        try:
            return json.loads(value, parse_constant=_refuse_constant) if value and value.strip() else {}
        except json.JSONDecodeError as error:
            raise ValidationError(
                f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            ) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Keep what was typed."""
        return data

    def prepare_value(self, value: Any) -> Any:
        """Indent what is stored; give back as it is what was typed."""
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare what the text means."""
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True


def _refuse_constant(word: str) -> None:
    raise ValidationError(f"{word} is not JSON.")


class LinesField(forms.CharField):
    """A list of words, one a line."""

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        super().__init__(widget=UnfoldAdminTextareaWidget({"rows": rows, "spellcheck": "false"}), **kwargs)

    def to_python(self, value: Any) -> Any:
        """Split into lines, without blanks and repetitions."""
        lines = (line.strip() for line in (value or "").splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def prepare_value(self, value: Any) -> Any:
        """Join what is stored; give back as it is what was typed."""
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the lists."""
        return bool(self.to_python(data) != (initial or []))


class TurnsField(forms.CharField):
    """Example turns: a block of `role: text` for each, or JSON."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 6, "placeholder": "user: Are you there?\n\nassistant: Yes."}
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(attrs), **kwargs)

    def to_python(self, value: Any) -> Any:
        """Read the turns; nothing is none."""
        try:
            return example_turns.read(value or "")
        except example_turns.TurnsUnreadable as reason:
            raise ValidationError(str(reason)) from None

    def prepare_value(self, value: Any) -> Any:
        """Write what is stored; give back as it is what was typed."""
        return example_turns.write(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare what the text means."""
        try:
            return bool(self.to_python(data) != (initial or []))
        except ValidationError:
            return True


class ProseField(forms.CharField):
    """Text of several lines as it was given. Browsers send line ends of their own, which is no change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "strip": False})

    def to_python(self, value: Any) -> Any:
        """End lines as everybody else does."""
        return (super().to_python(value) or "").replace("\r\n", "\n")


class MappingForm(MappingModelForm):
    """A mapping without its targets."""

    messages = TurnsField(
        label="Example turns",
        help_text=(
            "Put before every conversation. Begin each turn with user:, assistant: or system: on a new line. "
            "A JSON list of turns does as well."
        ),
    )
    options = OptionsField(
        label="Default options",
        help_text="A JSON object of Ollama options, used unless the client sets them.",
    )
    forced_options = OptionsField(
        label="Forced options", help_text="The same, but these win over what the client sets."
    )
    capabilities = forms.MultipleChoiceField(
        required=False,
        choices=[(word, word) for word in CAPABILITIES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What clients are told the model can do. Tick none to tell what was discovered.",
    )

    class Meta:
        model = ModelMapping
        fields = [
            "name",
            "enabled",
            "system",
            "messages",
            "options",
            "forced_options",
            "capabilities",
            "context_length",
            *(field.name for field in Described._meta.local_fields),
            "template",
            "license",
        ]
        field_classes = {"system": ProseField, "template": ProseField, "license": ProseField}
