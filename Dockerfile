# syntax=docker/dockerfile:1
# One image for web, worker and Flower. docs/operations.md says how to build it with and without CUDA.

ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src

# Torch alone first: the largest layer, and the one that a change of code never touches. Empty TORCH_INDEX takes the
# default build, with CUDA; the address of a package index with CPU builds takes the small one.
ARG TORCH_INDEX=
COPY constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip grep -i '^torch==' constraints.txt > torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement torch.txt

# The package with all that the service needs; after a change of code pip finds the rest in its cache.
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install '.[service]' --constraint constraints.txt


FROM python:${PYTHON_VERSION}-slim-bookworm
RUN groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid sluice --create-home --home-dir /var/lib/sluice sluice \
    # Volumes mounted here start with these folders' owner, so that models and archives can be written into them.
    && install --directory --owner 10001 --group 10001 /models /archives
COPY --from=build /opt/venv /opt/venv
COPY deploy /app/deploy
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SLUICE_HOST=0.0.0.0 \
    SLUICE_STATE_DIR=/var/lib/sluice/state
USER 10001:10001
WORKDIR /var/lib/sluice
EXPOSE 8000 5555
STOPSIGNAL SIGTERM
ENTRYPOINT ["sluice"]
CMD ["up"]
