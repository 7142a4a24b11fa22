FROM python:3.13-slim AS build
WORKDIR /ferry
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 FLASK_APP=app HOST=0.0.0.0 FERRY_DATA=/data
WORKDIR /ferry
COPY --from=build /venv /venv
COPY *.py ./
COPY api api
COPY auth auth
COPY broker broker
COPY cli cli
COPY content content
COPY database database
COPY lifecycle lifecycle
COPY modes modes
COPY quotas quotas
COPY relay relay
COPY security security
COPY server server
COPY storage storage
COPY sweep sweep
COPY migrations migrations
COPY templates templates
COPY static static
RUN mkdir -m 700 /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 5000)}/healthz', timeout=2)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
