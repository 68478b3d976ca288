# One image: the platform with its console, the run engine and the embedded Prefect server.
#   docker build -t promptops . && docker run -p 127.0.0.1:8080:8080 -v promptops:/data promptops

FROM node:22.21.1-bookworm-slim AS console
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY web ./
# Vite writes to ../platform/promptops_platform/console/dist.
RUN npm run build

FROM python:3.11.14-slim-bookworm AS python
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.lock \
    && python -m venv /opt/promptops \
    && /opt/promptops/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY providers providers
COPY flows flows
COPY platform platform
COPY --from=console /build/platform/promptops_platform/console/dist platform/promptops_platform/console/dist
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/promptops/bin/pip install --no-cache-dir --no-deps /dist/*.whl

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin promptops \
    && install --directory --owner promptops --group promptops --mode 0700 /data
COPY --from=python /opt/promptops /opt/promptops
ENV PATH="/opt/promptops/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PROMPTOPS_DATA=/data \
    PROMPTOPS_ADDR=0.0.0.0:8080
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
# SIGTERM lets runs that are under way end (PROMPTOPS_DRAIN_SECONDS).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/ready', timeout=4)"]
ENTRYPOINT ["promptops"]
CMD ["up"]
