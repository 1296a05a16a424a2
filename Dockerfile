# Two images from one file: `api` (no torch) and `worker` (torch, from the default index unless TORCH_INDEX is given).
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS base
ENV PATH=/opt/deeplimit/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DEEPLIMIT_DATA_DIR=/var/lib/deeplimit
# The data directory belongs to the user in the image, so a new volume mounted there does as well.
RUN useradd --system --uid 10001 --home-dir /var/lib/deeplimit --create-home deeplimit

FROM base AS build-api
# `server,plots` has the API render plots as PNG and PDF, at 80 MB more; `onnx` has it export ONNX.
ARG EXTRAS=server
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
# First what is depended on, from the metadata alone: a layer that a change of the code leaves as it is.
# pip stays outside of what is copied to the images.
RUN python -m venv --without-pip /opt/deeplimit \
    && mkdir deeplimit service worker \
    && /usr/local/bin/pip --python /opt/deeplimit install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"
COPY deeplimit deeplimit
COPY service service
COPY worker worker
RUN /usr/local/bin/pip --python /opt/deeplimit install --no-cache-dir --no-deps --force-reinstall .

FROM build-api AS build-worker
# The default index's build serves the CPU and NVIDIA GPUs alike, and is large; PyTorch's installation page names an index
# with a small one for the CPU. The version stays the one that constraints.txt names.
ARG TORCH_INDEX
RUN /usr/local/bin/pip --python /opt/deeplimit install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} -c constraints.txt ".[worker]"

FROM base AS api
COPY --from=build-api /opt/deeplimit /opt/deeplimit
USER deeplimit
WORKDIR /var/lib/deeplimit
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["deeplimit", "serve", "--host", "0.0.0.0", "--workers", "0"]

FROM base AS worker
COPY --from=build-worker /opt/deeplimit /opt/deeplimit
USER deeplimit
WORKDIR /var/lib/deeplimit
CMD ["deeplimit", "worker"]
