"""Forms of the admin: keys that are written and never shown, options as JSON, words as checkboxes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from backends import crypto, turns
from backends.models import CAPABILITIES, Backend, Credential, ModelMapping, validate_object
from backends.routing.names import canonical, fault_of_pattern

if TYPE_CHECKING:
    CredentialModelForm = forms.ModelForm[Credential]
    MappingModelForm = forms.ModelForm[ModelMapping]
    CredentialModelFormSet = forms.BaseInlineFormSet[Credential, Backend, CredentialModelForm]
else:
    CredentialModelForm = MappingModelForm = forms.ModelForm
    CredentialModelFormSet = forms.BaseInlineFormSet

FormT = TypeVar("FormT", bound=forms.BaseForm)


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
        """Live keys need different labels: forms cannot check the constraint, which has a condition."""
        super().clean()
        seen: set[str] = set()
        for form in kept_forms(self.forms):
            label = form.cleaned_data.get("label", "")
            if form.cleaned_data["retired"]:
                continue
            if label in seen:
                form.add_error("label", f"Another live key has the label {label!r}.")
            seen.add(label)


def kept_forms(found: Iterable[FormT]) -> list[FormT]:
    """Give the rows of a formset that are filled in, valid so far, and not about to be deleted."""
    return [form for form in found if _cleaned(form) and not _cleaned(form).get("DELETE")]


def _cleaned(form: forms.BaseForm) -> dict[str, Any]:
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
            return turns.read(value or "")
        except turns.TurnsUnreadable as reason:
            raise ValidationError(str(reason)) from None

    def prepare_value(self, value: Any) -> Any:
        """Write what is stored; give back as it is what was typed."""
        return turns.write(value) if isinstance(value, list) else value

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
            "template",
            "license",
        ]
        field_classes = {"system": ProseField, "template": ProseField, "license": ProseField}

    def clean_name(self) -> str:
        """Refuse a name that clients cannot tell from another mapping's."""
        name: str = self.cleaned_data["name"]
        if fault := fault_of_pattern(name):
            raise ValidationError(fault)
        others = ModelMapping.objects.exclude(pk=self.instance.pk).values_list("name", flat=True)
        same = [other for other in others if canonical(other) == canonical(name)]
        if same:
            raise ValidationError(f"Clients cannot tell it from the mapping {same[0]!r}.")
        return name
