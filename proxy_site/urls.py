"""The operators' URLs. The clients' are in `ollama_api.urls`; `asgi` chooses between the two by path."""

from django.contrib import admin
from django.urls import path

from console.logins import one_at_a_time

urlpatterns = [
    path("admin/login/", one_at_a_time(admin.site.login)),
    path("admin/", admin.site.urls),
]
