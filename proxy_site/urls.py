"""The operators' URLs. The clients' are in `ollama_api.urls`; `asgi` chooses between the two by path."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
