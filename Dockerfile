# One image for all stages; docker-compose.yml says which one a container runs.
FROM python:3.12-slim

RUN useradd --uid 10001 --create-home nozzlewatch && mkdir /data && chown nozzlewatch /data
WORKDIR /app

# torch comes first and by its exact version, as in the Makefile: anything looser may fetch another build.
COPY constraints.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt torch==2.13.0

COPY pyproject.toml README.md LICENSE ./
COPY ingest ingest
COPY features features
COPY detector detector
COPY sinks sinks
COPY nozzlewatch nozzlewatch
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[fast,kafka]'

USER nozzlewatch
WORKDIR /data
VOLUME /data
CMD ["nozzlewatch", "--help"]
