"""What runs a network to time it: eager torch, or onnxruntime."""

import tempfile
import time
import warnings
from collections.abc import Callable

import onnxruntime
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.evaluation.timing import time_once

CPU = torch.device("cpu")

Once = Callable[[], float]
"""One forward pass: the seconds it took."""
Runtime = Callable[[nn.Module], Once]
"""Makes a module ready to be timed."""


def torch_runtime(inputs: Tensor, device: torch.device) -> Runtime:
    """Eager torch on a batch of inputs."""
    batch = inputs.to(device)

    def ready(module: nn.Module) -> Once:
        module = module.to(device).eval()

        @torch.inference_mode()
        def once() -> float:
            return time_once(module, batch)

        return once

    return ready


def onnx_runtime(inputs: Tensor) -> Runtime:
    """onnxruntime on the CPU, with as many threads as torch, on a batch of inputs.

    The files come from torch's older exporter, some twenty times faster than the one that exports use; the runtime
    fuses both to the same operators.
    """
    batch = inputs.numpy()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()

    def ready(module: nn.Module) -> Once:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = f"{folder}/model.onnx"
            try:
                torch.onnx.export(module.eval(), (inputs,), path, dynamo=False, input_names=["input"])
                session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # the exporter lets through whatever the model's own code runs into
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
                raise ExplorerError(f"this model can't be timed in onnxruntime ({reason}): use torch") from error

        def once() -> float:
            start = time.perf_counter()
            session.run(None, {"input": batch})
            return time.perf_counter() - start

        return once

    return ready
