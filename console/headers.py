"""What every answer of the operators' door tells browsers to refuse.

Unfold works through Alpine.js, whose expressions stand in attributes and are compiled in the browser: that is
what `unsafe-eval` is for. No script stands in a page itself, so an injected one does not run. Styles do:
Unfold writes its colours into the page, and Alpine and htmx set styles of elements.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.admin.options import IS_POPUP_VAR
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "frame-src": "'self'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
REFUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "microphone",
    "payment",
    "usb",
)
PERMISSIONS = ", ".join(f"{feature}=()" for feature in REFUSED_FEATURES)


def _headers(framed_by: str, frame_options: str) -> dict[str, str]:
    policy = POLICY | {"frame-ancestors": framed_by}
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Permissions-Policy": PERMISSIONS,
        "X-Frame-Options": frame_options,
    }


HEADERS = _headers("'none'", "DENY")
POPUP_HEADERS = _headers("'self'", "SAMEORIGIN")
"""For a form that Unfold opens in a frame over another, such as a new backend beside a mapping's target."""


class SecurityHeaders(MiddlewareMixin):
    """The first middleware: what any other answers has these headers too."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Set the headers that Django has no setting for on all its versions that we support."""
        if settings.DEBUG and response.status_code in (404, 500):
            return response  # Django's page for developers is full of scripts
        for name, value in (POPUP_HEADERS if IS_POPUP_VAR in request.GET else HEADERS).items():
            response.headers[name] = value
        return response
