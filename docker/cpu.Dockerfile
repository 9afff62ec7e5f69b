# edge on a CPU, by OpenVINO. From the project's folder:
#   docker build -f docker/cpu.Dockerfile -t edge .
#   docker run --rm -v "$PWD:/work" edge build --precision int8
FROM python:3.11-slim
COPY . /edge
RUN pip install --no-cache-dir -c /edge/constraints.txt '/edge[mqtt,view,openvino]'
WORKDIR /work
ENTRYPOINT ["edge"]
CMD ["doctor"]
