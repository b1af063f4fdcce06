# The base image is an argument so that a mirror, a digest or another Python >= 3.11 can take its place.
ARG BASE_IMAGE=python:3.13-slim


FROM ${BASE_IMAGE} AS build

ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Wheels only, each checked against its hash: nothing is compiled, so no compiler is needed. What no server
# needs stays behind: pip, the packages' own tests (django.test is code) and the sources of translations.
COPY requirements.txt /tmp/requirements.txt
RUN python3 -m venv /opt/venv \
    && pip install --require-hashes --no-deps --only-binary=:all: --no-compile -r /tmp/requirements.txt \
    && pip check \
    && pip uninstall --yes --quiet pip \
    && find /opt/venv/lib -depth -type d \( -name test -o -name tests \) ! -path '*/django/test' -exec rm -r {} + \
    && find /opt/venv/lib -name '*.po' -delete

WORKDIR /app
COPY . .
# Root owns everything and everybody may read it, whatever the umask of the checkout was. Byte code is
# written here because the running server can not: it neither owns these files nor has a writable root.
RUN STATIC_ROOT=/app/static DATA_DIR=/nonexistent python manage.py collectstatic --noinput \
    && chmod -R a+rX,go-w /app \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib /app


FROM ${BASE_IMAGE}

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Llamagate" \
      org.opencontainers.image.description="The Ollama HTTP API in front of any OpenAI-compatible backend, for teams." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The official Python images ship their standard library without byte code; without this line each start
# and each health check would compile it again. Where it is compiled already, nothing is added.
RUN python3 -m compileall -q -j 0 -x '/(site-packages|dist-packages|ensurepip|idlelib|tkinter|turtledemo|test)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin llamagate \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=11434 \
    DATA_DIR=/data \
    STATIC_ROOT=/app/static

WORKDIR /app
# A number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 11434
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-S", "-c", "import os, http.client as h; c = h.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/', headers={'Host': 'localhost'}); raise SystemExit(c.getresponse().status != 200)"]

# `docker run IMAGE` serves; `docker run IMAGE apply FILE.yaml` runs any other command of manage.py.
ENTRYPOINT ["python", "manage.py"]
CMD ["serve"]
