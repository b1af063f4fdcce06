"""Django's settings; every value that may differ comes from the environment (see `config.py`)."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any

import dj_database_url
from django.templatetags.static import static
from environs import FileAwareEnv

from core.database import LimitedConnection
from proxy_site import config, logs

env: FileAwareEnv = config.read_environment()
PROXY: config.ProxyConfig = config.load(env)
BASE_DIR = config.BASE_DIR

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = PROXY.secret_key
# Host rules stand in `proxy_site.guard`, before either door, on every bind address: one rule, one place.
ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "daphne",  # first: `runserver` becomes an ASGI server
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "rest_framework",
    "channels",
    "backends",
    "accounts",
    "usage",
    "ollama_api",
    "console",
    "proxy_site",
]

# The operators' door only. Client traffic goes through `ollama_api.handler`, which has no middleware.
MIDDLEWARE = [
    "console.headers.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "console.sessions.SessionLimits",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it answers for logins that were refused further in
]

ROOT_URLCONF = "proxy_site.urls"
ASGI_APPLICATION = "proxy_site.asgi.application"
APPEND_SLASH = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

SQLITE_OPTIONS = {
    # Without IMMEDIATE a transaction that reads first and writes later fails at once with
    # "database is locked" when another writer came in between, whatever the timeout says.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864;",
}
POSTGRES_OPTIONS = {
    # libpq's own limits, kept on our side of the connection: poolers have no say in them.
    "connect_timeout": 2,
    "tcp_user_timeout": 10_000,  # milliseconds
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    # A server that hangs must not hang us: what can not be had in two seconds is away. The pool would
    # otherwise try again after ever longer pauses (up to minutes), and miss the server's return.
    "pool": {
        "connection_class": LimitedConnection,
        "min_size": 0,
        "max_size": 10,
        "timeout": 2,
        "reconnect_timeout": 2,
    },
}


def database() -> dict[str, Any]:
    """Describe the one database: SQLite with writers that wait, or PostgreSQL with a small pool."""
    parsed: dict[str, Any] = dict(dj_database_url.parse(PROXY.database_url))
    is_sqlite = parsed["ENGINE"].endswith("sqlite3")
    parsed["OPTIONS"] = (SQLITE_OPTIONS if is_sqlite else POSTGRES_OPTIONS) | parsed.get("OPTIONS", {})
    # Persistent connections leak under ASGI, where each request's thread is a new one.
    parsed["CONN_MAX_AGE"] = 0
    # What lay in the pool while the server went away is not handed to a request.
    parsed["CONN_HEALTH_CHECKS"] = True
    return parsed


DATABASES = {"default": database()}

if PROXY.redis_url:
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [PROXY.redis_url]},
        }
    }
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": PROXY.redis_url}
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # for whoever opened the login page itself
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses before a password is tried
    "django.contrib.auth.backends.ModelBackend",
]

# Failed logins are counted in the database, for all workers and replicas: see `console.throttle`.
AXES_HANDLER = "console.throttle.Throttle"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address", "username"]
AXES_FAILURE_LIMIT = PROXY.login_failures
AXES_COOLOFF_TIME = timedelta(seconds=PROXY.login_lockout_s)
AXES_USERNAME_CALLABLE = "console.throttle.normalize_name"
AXES_CLIENT_IP_CALLABLE = "console.throttle.normalize_address"
AXES_LOCKOUT_CALLABLE = "console.throttle.refuse"
AXES_RESET_ON_SUCCESS = True
# What is refused is not counted: nobody can prolong the wait of others, and no row grows.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", "") or None
# Serve straight from the packages: a checkout needs no `collectstatic`; the image bakes one in.
WHITENOISE_USE_FINDERS = True
# WhiteNoise hands files out synchronously; for files this small Django's way around it costs nothing.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Behind TLS: say so with this one switch, and cookies, HSTS and the redirect follow.
BEHIND_TLS = env.bool("LLAMAGATE_BEHIND_TLS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_TLS
SESSION_COOKIE_NAME = "llamagate_session"
CSRF_COOKIE_NAME = "llamagate_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(PROXY.session_idle_s)  # see `console.sessions`
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

LOGGING_CONFIG = None
logs.configure(level=env.str("LOG_LEVEL", "INFO"), style=env.str("LOG_FORMAT", ""))

UNFOLD = {
    "SITE_TITLE": "Llamagate",
    "SITE_HEADER": "Llamagate",
    "SITE_SUBHEADER": "One Ollama API, any backend",
    "SITE_SYMBOL": "door_open",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/favicon.svg")}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": [lambda request: static("console/admin.css")],
    "SCRIPTS": [lambda request: static("console/admin.js")],
    "SIDEBAR": {"navigation": "console.navigation.sidebar"},
}
