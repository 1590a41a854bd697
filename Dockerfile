# intonate as a service: docker compose up (compose.yaml), or
#   docker build -t intonate . && docker run --rm -p 8000:8000 -e INTONATE_TOKEN=a-long-random-token intonate
# The models are inside the package: nothing is fetched when it runs, and nothing is written.

FROM python:3.11-slim AS build
COPY . /src
RUN python -m venv /opt/intonate \
 && /opt/intonate/bin/pip install --no-cache-dir -c /src/constraints.txt "/src[service]"

FROM python:3.11-slim
COPY --from=build /opt/intonate /opt/intonate
RUN useradd --system --no-create-home --shell /usr/sbin/nologin intonate
USER intonate
ENV PATH=/opt/intonate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
# Whatever the options (port, HTTPS, token, names): it finds the service that runs in here.
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["python", "-m", "intonate.service.health"]
# Without INTONATE_TOKEN it says so and stops: an address beyond loopback needs one.
ENTRYPOINT ["intonate", "serve", "--host", "0.0.0.0"]
