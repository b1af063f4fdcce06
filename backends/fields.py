"""The import path that old migrations use."""

from core.fields import SealedField as SealedField
