# Targets: cpu (the default: ONNX Runtime, no torch), gpu (CUDA 13 libraries, torch,
# onnxruntime-gpu) and load (the cpu service's engine, locust and load_tests).
# Build with `make image`; `make wheels` first makes the build need no package index.
ARG BASE_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# pip works from outside, so that the environment that is served holds no installer.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
COPY pyproject.toml constraints.txt release/requirements.py release/install.sh ./

FROM build AS build-cpu
RUN --mount=type=bind,source=wheels,target=/build/wheels sh install.sh cpu

FROM build AS build-gpu
RUN --mount=type=bind,source=wheels,target=/build/wheels sh install.sh gpu

FROM build AS build-load
RUN --mount=type=bind,source=wheels,target=/build/wheels sh install.sh cpu load

FROM ${BASE_IMAGE} AS runtime
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="packed-sentiment" \
      org.opencontainers.image.description="A packed bidirectional LSTM text classifier behind HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SENTIMENT_HOST=0.0.0.0
# The base image's own installer, where it has one.
RUN python3 -m pip uninstall --quiet --yes pip setuptools wheel 2>/dev/null || true
WORKDIR /app
USER 10001:10001
EXPOSE 8000
# The root file system may be read-only; /tmp takes the private directory of Unix sockets.
VOLUME /tmp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/opt/venv/bin/python", "-m", "service.health_check"]
ENTRYPOINT ["/opt/venv/bin/python", "-m", "service"]

FROM runtime AS gpu
ENV SENTIMENT_DEVICE=cuda
COPY --from=build-gpu /opt/venv /opt/venv
COPY LICENSE ./
COPY models/sentiment models/sentiment
COPY service service

FROM runtime AS load
COPY --from=build-load /opt/venv /opt/venv
COPY models/sentiment models/sentiment
COPY service service
COPY load_tests load_tests
HEALTHCHECK NONE
ENTRYPOINT ["/opt/venv/bin/python", "-m", "load_tests"]

FROM runtime AS cpu
COPY --from=build-cpu /opt/venv /opt/venv
COPY LICENSE ./
COPY models/sentiment models/sentiment
COPY service service
