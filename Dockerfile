# Build: the package as a wheel, installed into an environment of its own, and the model beside it.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Of the cluster profile: --build-arg EXTRAS=postgresql,s3,kafka
ARG EXTRAS=
RUN python -m venv /opt/rag
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY profiles profiles
COPY adapters adapters
COPY orchestrator orchestrator
RUN /opt/rag/bin/pip wheel --no-deps --wheel-dir /dist . \
    && /opt/rag/bin/pip install "$(echo /dist/*.whl)${EXTRAS:+[$EXTRAS]}"
RUN RAG_MODELS=/opt/models /opt/rag/bin/rag models pull

# Run: as nobody in particular, on a root file system that may be read-only. Writable: /data, /tmp.
FROM python:3.11-slim
RUN groupadd --gid 10001 rag \
    && useradd --uid 10001 --gid rag --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin rag \
    && install --directory --owner rag --group rag --mode 0700 /data
COPY --from=build /opt/rag /opt/rag
COPY --from=build /opt/models /opt/models
ENV PATH=/opt/rag/bin:$PATH \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RAG_DATA_DIR=/data \
    RAG_MODELS=/opt/models
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["rag"]
CMD ["serve", "--host", "0.0.0.0"]
