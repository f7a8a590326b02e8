"""Settings of the site; `env` reads the environment.

Trying the site needs no variable. `.env.example` lists them all.
"""

import sys
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from digitsite import env
from digitsite.secret import kept_private, kept_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

PRODUCTION = env.stated_flag("PRODUCTION")
DEBUG = env.flag("DEBUG")
DIGITSITE_VAR = env.folder("DIGITSITE_VAR") or BASE_DIR / "var"
try:
    # Only its owner may read it: it holds everybody's drawings.
    DIGITSITE_VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not kept_private(DIGITSITE_VAR) and PRODUCTION:
        raise ImproperlyConfigured(
            f"DIGITSITE_VAR: other users may enter {DIGITSITE_VAR}, which belongs to "
            "somebody else. Have its owner run chmod 700 on it, or use another folder."
        )
except OSError as error:
    raise ImproperlyConfigured(
        f"DIGITSITE_VAR: {DIGITSITE_VAR} is not usable as a folder: {error}"
    ) from error

# --- hosts, proxies and browser policies ---------------------------------------

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
SECRET_KEY = env.text("SECRET_KEY")
_SHORTEST_KEY = 32  # characters
# Former keys: what they have signed stays valid.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
if SECRET_KEY_FALLBACKS and not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY_FALLBACKS holds former keys: set the present one in SECRET_KEY."
    )
# How far browsers insist on https: other hosts of the domain may have none.
_HSTS = env.one_of("HSTS", "host", choices=("host", "subdomains", "preload"))
if PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("PRODUCTION=1 and DEBUG=1 cannot be combined.")
    if not SECRET_KEY:
        raise ImproperlyConfigured("PRODUCTION=1 needs your own SECRET_KEY.")
    if len(SECRET_KEY) < _SHORTEST_KEY:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(SECRET_KEY)} characters; PRODUCTION=1 needs at least "
            f"{_SHORTEST_KEY} random ones."
        )
    if not ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "PRODUCTION=1 needs ALLOWED_HOSTS, such as digits.example.org."
        )
    if "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS=* accepts any host name, which PRODUCTION=1 forbids: name "
            "the site's own, such as digits.example.org."
        )
    if not all(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS):
        raise ImproperlyConfigured(
            "PRODUCTION=1 serves https alone: CSRF_TRUSTED_ORIGINS must begin with "
            "https://, such as https://digits.example.org."
        )
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = _HSTS in ("subdomains", "preload")
    SECURE_HSTS_PRELOAD = _HSTS == "preload"
else:
    if _HSTS != "host":
        raise ImproperlyConfigured(
            f"HSTS={_HSTS} needs PRODUCTION=1: it makes browsers insist on https."
        )
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
    try:
        SECRET_KEY = SECRET_KEY or kept_secret_key(DIGITSITE_VAR / "secret_key")
    except OSError as error:
        raise ImproperlyConfigured(
            f"DIGITSITE_VAR: {DIGITSITE_VAR} cannot be written to: {error}"
        ) from error
# Number of our own proxies; each appends an address to X-Forwarded-For.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, low=0, high=10)
if PRODUCTION or TRUSTED_PROXIES:  # a proxy terminates TLS
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
# Browsers take cookies of such names from this very host over https only, so that no
# neighbouring host can plant one.
_COOKIE_PREFIX = "__Host-" if PRODUCTION else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrftoken"
CSRF_FAILURE_VIEW = "recognizer.ops.error_views.csrf_failure"
# The reader in the page is WebAssembly in a worker.
_SCRIPTS = "script-src 'self' 'wasm-unsafe-eval'"
CONTENT_SECURITY_POLICY = (
    f"default-src 'self'; {_SCRIPTS}; worker-src 'self'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
if DEBUG:  # Django's error pages have inline styles and scripts
    CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY.replace(
        _SCRIPTS, f"{_SCRIPTS} 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
    )

# Browser features that no page of the site may use.
PERMISSIONS_POLICY = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), "
    "encrypted-media=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), "
    "local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), "
    "xr-spatial-tracking=()"
)

# --- the server that `manage.py serve` starts ----------------------------------

HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, low=0, high=65535)
WORKERS = env.integer("WORKERS", 2, low=1, high=256)

# --- Django ----------------------------------------------------------------------

INSTALLED_APPS = [
    "recognizer.desk.apps.DeskConfig",  # django.contrib.admin with our own sign-in
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # Swagger UI, served from this site
    "django_otp",  # the second factor: codes of an app, and recovery codes
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_tasks_db",  # background tasks as rows; `manage.py work` runs them
    "recognizer",
]
MIDDLEWARE = [
    # outermost: redirects to https need its headers too
    "recognizer.ops.middleware.BrowserPolicyMiddleware",
    "recognizer.ops.middleware.ObservingMiddleware",
    "recognizer.ops.slow_peers.SlowPeersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "recognizer.ops.middleware.BodyMiddleware",
    "recognizer.ops.overload.OverloadMiddleware",
    "recognizer.ops.middleware.SessionUseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "digitsite.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = f"{_COOKIE_PREFIX}language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
_STATIC_ROOT = BASE_DIR / "staticfiles"
# After `manage.py collectstatic`, the site serves compressed files with a hash in their
# names; before that, the files of the checkout.
_COLLECTED = (_STATIC_ROOT / "staticfiles.json").exists() or "collectstatic" in sys.argv
STATIC_ROOT = _STATIC_ROOT if _COLLECTED else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "digitsite.static_files.HashedStaticFilesStorage"
            if _COLLECTED
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = not _COLLECTED
WHITENOISE_MAX_AGE = 60  # seconds, for names without a hash

# --- signing in ------------------------------------------------------------------

AUTH_USER_MODEL = "recognizer.User"
PASSWORD_HASHERS = [
    "recognizer.people.passwords.SmallArgon2PasswordHasher",
    # Hashes of this kind are replaced when their owners sign in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# How many sign-ins from one address may fail before it has to wait.
SIGN_IN_FAILURES = {"site": 20, "staff": 10}
SIGN_IN_LOCK_S = 15 * 60  # since the last failure
# (tries, seconds): sign-ups count by address, tries of one's own password by user. A
# school class shares one address.
TRIES = {"sign-up": (60, 3600), "own-password": (20, 900)}
STAFF_PASSWORD_AGE_S = 8 * 3600  # after that, the admin asks for the password again
# Whether staff must have a second factor, or only those who have set one up use it.
STAFF_NEED_FACTOR = (
    env.one_of(
        "STAFF_FACTOR",
        "required" if PRODUCTION else "optional",
        choices=("required", "optional"),
    )
    == "required"
)
OTP_TOTP_ISSUER = "Digitsite"  # what authenticator apps show

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "draw"
_RULES = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"{_RULES}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_RULES}.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {
        "NAME": f"{_RULES}.CommonPasswordValidator",
        # Our list has Django's 20,000 as well.
        "OPTIONS": {
            "password_list_path": BASE_DIR
            / "recognizer"
            / "people"
            / "common-passwords.txt.gz"
        },
    },
    {"NAME": f"{_RULES}.NumericPasswordValidator"},
    {"NAME": "recognizer.people.passwords.SiteWordsValidator"},
]

PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds; the mail says a day

# --- mail: forgotten passwords -----------------------------------------------------

_MAIL = env.mail_server("EMAIL_URL")
if PRODUCTION and env.text("EMAIL_URL") == "console":
    raise ImproperlyConfigured(
        "EMAIL_URL=console writes links that set new passwords into the log, which "
        "PRODUCTION=1 forbids. Name a mail server, or remove the line to send no mail."
    )
SENDS_MAIL = _MAIL is not None or not PRODUCTION
_WITHOUT_SERVER = "console" if SENDS_MAIL else "dummy"
EMAIL_BACKEND = (
    f"django.core.mail.backends.{'smtp' if _MAIL else _WITHOUT_SERVER}.EmailBackend"
)
EMAIL_TIMEOUT = 15  # seconds
DEFAULT_FROM_EMAIL = (
    f"digitsite@{(PRODUCTION and ALLOWED_HOSTS[0].lstrip('*.')) or 'localhost'}"
)
if _MAIL:
    EMAIL_HOST, EMAIL_PORT = _MAIL.host, _MAIL.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL.user, _MAIL.password
    EMAIL_USE_SSL = _MAIL.encryption == "tls"
    EMAIL_USE_TLS = _MAIL.encryption == "starttls"
    if _MAIL.sender or "@" in _MAIL.user:
        DEFAULT_FROM_EMAIL = _MAIL.sender or _MAIL.user

# --- the database ----------------------------------------------------------------

_SQLITE = {
    # Writers wait instead of failing, and readers never wait for them.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,  # seconds
    # Each thread has a connection, in which the default of 128 takes 700 kB.
    "cached_statements": 48,
    # secure_delete overwrites deleted data.
    # cache_size: 256 kB per connection. The default of 2 MB takes 128 MB in 64 threads,
    # and the system caches the file anyway.
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; "
        "PRAGMA cache_size=-256;"
    ),
}
_POSTGRES = {
    # If the database hangs, requests end with a 503.
    "connect_timeout": 5,  # seconds
    "tcp_user_timeout": 10_000,  # milliseconds
    "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
}


def _database() -> dict[str, Any]:
    url = env.text("DATABASE_URL", f"sqlite:///{DIGITSITE_VAR / 'digitsite.sqlite3'}")
    try:
        database: dict[str, Any] = dict(
            dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
        )
    except ValueError:
        # Show neither the value nor the library's message: both may hold a password.
        raise ImproperlyConfigured(
            "DATABASE_URL is not a database URL. Use one such as "
            "postgres://user:password@host/name, with @, : and / in user or password "
            "written as %40, %3A and %2F."
        ) from None
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = _SQLITE
    elif database["ENGINE"] == "django.db.backends.postgresql":
        database["OPTIONS"] = {**_POSTGRES, **database.get("OPTIONS", {})}
        if env.flag("PGBOUNCER"):
            # Each transaction may get another connection of the server's, so nothing
            # may outlive one: no cursor, and no setting of a session.
            database["DISABLE_SERVER_SIDE_CURSORS"] = True
            del database["OPTIONS"]["options"]
    return database


DATABASES = {"default": _database()}

# --- background work -----------------------------------------------------------------

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
TRAIN_COMMAND = [sys.executable, "-m", "mlcore.training.train"]
JUDGE_COMMAND = [sys.executable, "-m", "mlcore.judging.gate"]
RUNS_FOLDER = DIGITSITE_VAR / "runs"
CLUSTER = env.text("CLUSTER")  # a Dask scheduler for batch work; see docs/scaling.md
SILENT_AFTER_S = 60  # a training without a heartbeat for this long counts as lost

# --- the cache counts calls; with Redis, all processes share it -------------------

REDIS_URL = env.redis_url("REDIS_URL")


def redis_cache(url: str) -> dict[str, Any]:
    """Return the settings of a cache in Redis."""
    return {
        "BACKEND": "digitsite.redis_cache.JSONRedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "digitsite",
        # seconds; a cache that hangs must not block the site
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }


CACHES: dict[str, dict[str, Any]] = {
    "default": redis_cache(REDIS_URL)
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- the REST API ------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "recognizer.api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["recognizer.api.auth.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["recognizer.api.throttles.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["recognizer.api.json.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["recognizer.api.json.JSONParser"],
    "URL_FORMAT_OVERRIDE": None,  # answers are JSON; ?format= is an unknown filter
    "EXCEPTION_HANDLER": "recognizer.api.errors.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Digitsite",
    "DESCRIPTION": "Reads drawn digits, stores them, and accepts corrections.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_PATCH": False,
    "AUTHENTICATION_WHITELIST": [],  # `finish_schema` says who may call
    "WEBHOOKS": [
        f"recognizer.api.schema.{event}"
        for event in (
            *("SUBMISSION_CREATED", "FEEDBACK_CREATED", "LABEL_CREATED"),
            "MODEL_PROMOTED",
        )
    ],
    "POSTPROCESSING_HOOKS": ["recognizer.api.schema.finish_schema"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}

# --- limits of a request -------------------------------------------------------------

MAX_BODY_BYTES = 10 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES  # nothing is spilled to disk
MAX_STROKES = 200
MAX_POINTS = 10_000
MAX_COORDINATE = 100_000
MAX_CANVAS_SIDE = 10_000
MAX_TIME_MS = 24 * 3600 * 1000
MAX_DRAWINGS_PER_CALL = 256
MAX_SECONDS_PER_CALL = 20  # of reading; the rest of a batch gets an error

# Per process. Running more requests at once would only share one core; with fewer, the
# core would idle while they wait for the disk. If the queue is full, requests get 503.
REQUESTS_AT_ONCE = 4
REQUESTS_WAITING = 48
LONGEST_WAIT_S = 2.0

# Per process, of the server's 96 threads: bodies that are being sent, and answers that
# are being read piece by piece. A school class shares one address.
BODIES_AT_ONCE, BODIES_OF_AN_ADDRESS = 32, 24
STREAMS_AT_ONCE, STREAMS_OF_AN_ADDRESS = 24, 12
EXPORTS_AT_ONCE, EXPORTS_OF_A_CALLER = 8, 2
SHORT_STREAM_BYTES = 400_000  # the server takes such an answer whole
# A reader that has kept an answer waiting for this long must have been this fast.
SLOW_READER_S, SLOWEST_READER_BYTES_PER_S = 30.0, 2_000
SILENT_PEER_S = 20  # then the system closes a connection that takes nothing

# API calls of one anonymous address; THROTTLE_SHARES gives users and tokens more.
THROTTLE = env.rate("DIGITSITE_THROTTLE", "600/min" if PRODUCTION else "off")
THROTTLE_SHARES = {"address": 1, "user": 2, "token": 2}
# Pictures also count by their size: a megapixel takes about 0.1 s to decode and read.
PIXELS_PER_CALL = 1_000_000
STORED_BYTES_PER_DAY = 1_000_000_000

VISITOR_COOKIE = f"{_COOKIE_PREFIX}visitor"
VISITOR_COOKIE_SECONDS = 400 * 24 * 3600  # as long as browsers keep a cookie

# How long a process caches which model is active: the query takes 5 to 10 % of a call.
ACTIVE_MODEL_KEPT_S = 0.25

# `manage.py expire` removes drawings older than this; 0 keeps all drawings.
RETENTION_DAYS = env.integer("RETENTION_DAYS", 0, low=0, high=36_500)

# --- webhooks ------------------------------------------------------------------------

# For receivers in the operator's own network: without it, only public addresses.
WEBHOOKS_TO_PRIVATE_ADDRESSES = env.flag("WEBHOOKS_TO_PRIVATE_ADDRESSES")
WEBHOOK_TIMEOUT_S = 15  # for the whole of an attempt

# --- the shipped model and its measurements ---------------------------------------

STARTER_BUNDLE = BASE_DIR / "mlcore" / "starter"
NAMED_BUNDLE = env.folder("BUNDLE")  # it stays active while BUNDLE is set
# How the shipped bundle was evaluated.
MODEL_EVALUATION = BASE_DIR / "docs" / "model" / "evaluation.json"
# Measurements behind the training recipe, and of the fastest training.
EXPERIMENTS = BASE_DIR / "docs" / "experiments" / "results.json"
FAST_TRAINING = BASE_DIR / "docs" / "training" / "fast.json"
BUNDLE_CACHE = DIGITSITE_VAR / "bundles"

# --- what operators see --------------------------------------------------------------

# Callers need it to read /metrics. If it is unset, only this machine may read them.
METRICS_TOKEN = env.text("METRICS_TOKEN")
LOG_FORMAT = env.one_of(
    "LOG_FORMAT", "json" if PRODUCTION else "line", choices=("line", "json")
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "recognizer.request_ids.RequestIdFilter"},
        "without_refusals": {"()": "digitsite.logs.WithoutRefusals"},
    },
    "formatters": {
        "line": {
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s"
        },
        "json": {"()": "digitsite.logs.JSONFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_id"],
        }
    },
    "loggers": {
        "django": {"level": "INFO"},  # the root has the handler
        "django.request": {"filters": ["without_refusals"]},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}
