"""Stand-in for Triton Inference Server: its protocol and its configuration are the real ones.

It reads config.pbtxt as Triton does (ModelConfig), checks requests against it, puts requests that
wait into one batch, and computes model.onnx in ONNX Runtime.
"""

from __future__ import annotations

import threading
from concurrent import futures
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype


def read_config(folder: Path) -> model_config_pb2.ModelConfig:
    """A model's config.pbtxt; text_format.ParseError where a key or value is unknown."""
    text = (folder / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


class Model:
    """One model of the repository; `gather` requests are put into one batch where it batches."""

    def __init__(self, folder: Path, gather: int) -> None:
        self.config = read_config(folder)
        assert self.config.name == folder.name
        assert self.config.backend == "onnxruntime"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"), options)
        self._check()
        self.batched = self.config.HasField("dynamic_batching")
        self._gather = gather if self.batched else 1
        self._waiting: list[tuple[dict[str, np.ndarray], futures.Future[Any]]] = []
        self._lock = threading.Lock()
        self.batches: list[int] = []

    def _check(self) -> None:
        """The tensors of the file are those of the configuration, as Triton wants it."""
        for declared, found in (
            (self.config.input, self.session.get_inputs()),
            (self.config.output, self.session.get_outputs()),
        ):
            assert [each.name for each in declared] == [each.name for each in found]
            for one, other in zip(declared, found, strict=True):
                shape = list(other.shape)
                if self.config.max_batch_size:
                    assert isinstance(shape.pop(0), str), f"{one.name} has a fixed batch"
                assert shape == list(one.dims), one.name
                kind = model_config_pb2.DataType.Name(one.data_type).removeprefix("TYPE_")
                names = {"FP32": "tensor(float)", "FP16": "tensor(float16)"}
                assert other.type == names.get(kind, f"tensor({kind.lower()})"), one.name

    def infer(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        mine: futures.Future[Any] = futures.Future()
        with self._lock:
            self._waiting.append((feeds, mine))
            if len(self._waiting) >= self._gather:
                taken, self._waiting = self._waiting, []
                self._run(taken)
        return list(mine.result(timeout=60))

    def _run(self, taken: list[tuple[dict[str, np.ndarray], futures.Future[Any]]]) -> None:
        many = {
            name: np.concatenate([feeds[name] for feeds, _ in taken]) if self.batched else value
            for name, value in taken[0][0].items()
        }
        self.batches.append(len(taken))
        results = self.session.run(None, many)
        for index, (_, future) in enumerate(taken):
            part = slice(index, index + 1) if self.batched else slice(None)
            future.set_result([result[part] for result in results])


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A server on a free port; `with Triton(repository) as server: server.address`."""

    def __init__(self, repository: Path, gather: int = 1) -> None:
        folders = [folder for folder in sorted(repository.iterdir()) if folder.is_dir()]
        self.models = {folder.name: Model(folder, gather) for folder in folders}
        self._regions: dict[str, shared_memory.SharedMemory] = {}
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Triton:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()
        for region in self._regions.values():
            region.close()

    def ModelInfer(self, request: Any, context: Any) -> Any:
        if request.model_name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown model '{request.model_name}'")
        model = self.models[request.model_name]
        raw = iter(request.raw_input_contents)
        feeds = {}
        for tensor in request.inputs:
            data = self._shared(tensor) or next(raw)
            dtype = triton_to_np_dtype(tensor.datatype)
            feeds[tensor.name] = np.frombuffer(data, dtype).reshape(tensor.shape)
        expected = {v.name for v in model.config.input}
        if set(feeds) != expected:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"expected {sorted(expected)}")
        results = dict(zip([v.name for v in model.config.output], model.infer(feeds), strict=True))
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        for name in [output.name for output in request.outputs] or list(results):
            value = results[name]
            response.outputs.add(
                name=name, datatype=np_to_triton_dtype(value.dtype), shape=value.shape
            )
            response.raw_output_contents.append(np.ascontiguousarray(value).tobytes())
        return response

    def SystemSharedMemoryRegister(self, request: Any, context: Any) -> Any:
        region = shared_memory.SharedMemory(request.key.lstrip("/"))
        self._regions[request.name] = region
        return service_pb2.SystemSharedMemoryRegisterResponse()

    def SystemSharedMemoryUnregister(self, request: Any, context: Any) -> Any:
        self._regions.pop(request.name).close()
        return service_pb2.SystemSharedMemoryUnregisterResponse()

    def _shared(self, tensor: Any) -> bytes | None:
        values = tensor.parameters
        if "shared_memory_region" not in values:
            return None
        region = self._regions[values["shared_memory_region"].string_param]
        first = values["shared_memory_offset"].int64_param
        return bytes(region.buf[first : first + values["shared_memory_byte_size"].int64_param])
