# edge on a desktop or data-centre GPU, by TensorRT. From the project's folder:
#   docker build -f docker/cuda.Dockerfile -t edge-cuda .
#   docker run --rm --gpus all -v "$PWD:/work" edge-cuda build --precision int8
# The host has the driver and NVIDIA's container toolkit. CUDA is 12 for drivers before 580, TENSORRT
# is tensorrt-rtx for RTX GPUs. BASE is any image of Ubuntu 24.04: pip brings what TensorRT needs of
# CUDA; for the rest of CUDA take NVIDIA's, as nvidia/cuda:13.0.0-runtime-ubuntu24.04.
ARG BASE=ubuntu:24.04
FROM ${BASE}
ARG CUDA=13
ARG TENSORRT=tensorrt
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* && python3 -m venv /opt/edge
ENV PATH=/opt/edge/bin:$PATH
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility NVIDIA_VISIBLE_DEVICES=all
COPY . /edge
RUN pip install --no-cache-dir -c /edge/constraints.txt "/edge[mqtt,view,cuda${CUDA}]" "${TENSORRT}-cu${CUDA}"
WORKDIR /work
ENTRYPOINT ["edge"]
CMD ["doctor"]
