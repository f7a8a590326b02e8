# Images of one site, from the repository's root:
#
#   docker build --target serve -t digitsite .
#   docker build --target train -t digitsite-train .
#   docker build --target cluster -t digitsite-cluster .
#
# None needs to write to its own file system: run them with --read-only and a /tmp in
# memory. What the site keeps lies in DIGITSITE_VAR.

FROM python:3.13-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    VIRTUAL_ENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin digitsite
WORKDIR /opt/digitsite

# Wheels are unpacked and compiled here; the images take the environment alone.
FROM base AS serve-environment
COPY requirements/serve.txt requirements/
RUN python -m venv "$VIRTUAL_ENV" \
    && pip install --only-binary :all: -r requirements/serve.txt \
    && pip uninstall --yes pip \
    && python -m compileall -q "$VIRTUAL_ENV"

FROM base AS train-environment
COPY requirements/serve.txt requirements/train.txt requirements/
RUN python -m venv "$VIRTUAL_ENV" \
    && pip install --only-binary :all: -r requirements/serve.txt -r requirements/train.txt \
    && pip uninstall --yes pip \
    && python -m compileall -q "$VIRTUAL_ENV"

FROM base AS cluster-environment
COPY requirements/serve.txt requirements/cluster.txt requirements/
RUN python -m venv "$VIRTUAL_ENV" \
    && pip install --only-binary :all: -r requirements/serve.txt -r requirements/cluster.txt \
    && pip uninstall --yes pip \
    && python -m compileall -q "$VIRTUAL_ENV"

FROM base AS site
COPY . .
RUN python -m compileall -q . \
    && install --directory --owner=digitsite --mode=0700 /var/lib/digitsite
ENV DIGITSITE_VAR=/var/lib/digitsite \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001
VOLUME /var/lib/digitsite

# The worker: trains, keeps backups. TensorFlow and PostgreSQL's own tools are here only.
FROM site AS train
USER 0
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-15=15.* \
    && rm -rf /var/lib/apt/lists/*
COPY --from=train-environment /opt/venv /opt/venv
USER 10001
CMD ["python", "manage.py", "work"]

# Scheduler and workers of a cluster, and the command that uses it.
FROM site AS cluster
COPY --from=cluster-environment /opt/venv /opt/venv
CMD ["python", "-m", "distributed.cli.dask_scheduler", "--port", "8786", "--no-dashboard"]

# The last is what `docker build` makes when no target is named.
FROM site AS serve
COPY --from=serve-environment /opt/venv /opt/venv
USER 0
RUN DIGITSITE_VAR=/tmp/var python manage.py collectstatic --no-input --verbosity 0 \
    && rm -r /tmp/var
USER 10001
# Two heaps of freed memory instead of one per thread: 20 MB less.
ENV MALLOC_ARENA_MAX=2
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["python", "manage.py", "serve"]
