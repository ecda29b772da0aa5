# syntax=docker/dockerfile:1
# One image for web, worker and Flower. docs/operations.md says how to build it with and without CUDA.

ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app

# Torch alone first: the largest layer, and the one that a change of code never touches. Empty TORCH_INDEX takes the
# default build, with CUDA; the address of a package index with CPU builds takes the small one.
ARG TORCH_INDEX=
COPY constraints.txt ./
RUN grep -i '^torch==' constraints.txt > torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement torch.txt

COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > requirements.txt \
    && pip install --requirement requirements.txt --constraint constraints.txt

COPY . .
# Editable, so that the shipped model and samples are found beside the code.
RUN pip install --no-deps --editable . && python -m compileall -q .


FROM python:${PYTHON_VERSION}-slim-bookworm
RUN groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid sluice --create-home --home-dir /var/lib/sluice sluice \
    # Volumes mounted here start with these folders' owner, so that models and archives can be written into them.
    && install --directory --owner 10001 --group 10001 /models /archives
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
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
