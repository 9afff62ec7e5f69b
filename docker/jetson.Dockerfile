# edge on a Jetson, by JetPack's TensorRT. On the Jetson, from the project's folder:
#   docker build -f docker/jetson.Dockerfile --build-arg BASE=NAME -t edge-jetson .
#   docker run --rm --runtime nvidia -v "$PWD:/work" edge-jetson build --precision int8
# NAME is NVIDIA's image of your JetPack with TensorRT and its Python module: l4t-jetpack:r36.4.0 for
# JetPack 6, with the registry that NVIDIA's catalogue names. CUDA is 13 for JetPack 7.
ARG BASE
FROM ${BASE}
ARG CUDA=12
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* && python3 -m venv --system-site-packages /opt/edge
ENV PATH=/opt/edge/bin:$PATH
COPY . /edge
# The image's OpenCV, which has GStreamer for csi://, where there is one; else pip's.
RUN opencv=$(python3 -c 'import cv2' 2>/dev/null || echo ,opencv) \
    && pip install --no-cache-dir -c /edge/constraints.txt "/edge[mqtt,view,cuda${CUDA}${opencv}]"
WORKDIR /work
ENTRYPOINT ["edge"]
CMD ["doctor"]
