"""A real Triton server: the wheel's binary in an environment of its own, on a port of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.builders import free_port

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv-triton"
PACKAGES = ENVIRONMENT / "packages"
TRITON = PACKAGES / "pytriton" / "tritonserver"
START_S = 120.0
OF_VLLM = {
    "text_input": "STRING",
    "stream": "BOOL",
    "sampling_parameters": "STRING",
    "exclude_input_in_output": "BOOL",
    "return_finish_reason": "BOOL",
    "return_num_input_tokens": "BOOL",
    "return_num_output_tokens": "BOOL",
}
OF_TENSORRT_LLM = {
    "text_input": "STRING",
    "stream": "BOOL",
    "max_tokens": "INT32",
    "temperature": "FP32",
    "stop_words": "STRING",
    "guided_decoding_guide_type": "STRING",
    "guided_decoding_guide": "STRING",
}
TOLD = {
    "text_output": "STRING",
    "finish_reason": "STRING",
    "num_input_tokens": "UINT32",
    "num_output_tokens": "UINT32",
}


class TritonServer:
    """Triton with two models of `triton_model.py`: `vllm_model`, and `ensemble` of TensorRT-LLM."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        _repository(folder / "vllm_model", OF_VLLM, tuple(TOLD))
        _repository(folder / "ensemble", OF_TENSORRT_LLM, ("text_output",))

    def busy(self, model: str) -> int:
        """How many answers a model works at."""
        told = (self._folder / model / "busy").read_text()
        return int(told or 0)

    def start(self) -> None:
        """Start, and wait until its models are ready."""
        log = self._folder.with_suffix(".log")
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command(), env=_environment(), stdout=out, stderr=out
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self._process.poll() is None:
            if self._ready():
                return
            time.sleep(0.1)
        raise RuntimeError(f"triton did not start: {log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it, and the processes of its models."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _command(self) -> list[str]:
        chosen = {
            "model-repository": self._folder,
            "backend-directory": TRITON / "backends",
            "cache-directory": TRITON / "caches",
            "http-address": "127.0.0.1",
            "http-port": self._port,
            "allow-grpc": "false",
            "allow-metrics": "false",
        }
        return [str(TRITON / "bin" / "tritonserver"), *(f"--{k}={v}" for k, v in chosen.items())]

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v2/health/ready", timeout=5).is_success
        except httpx.TransportError:
            return False


def missing() -> str | None:
    """Why there is no Triton server, if there is none."""
    return None if (ENVIRONMENT / "installed").exists() else "build it by scripts/triton"


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(PACKAGES / "nvidia_pytriton.libs"),
        "PYTHONPATH": str(PACKAGES.resolve()),
    }


def _repository(folder: Path, inputs: Mapping[str, str], outputs: tuple[str, ...]) -> None:
    (folder / "1").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "triton_model.py", folder / "1" / "model.py")
    lines = [
        'backend: "python"',
        "model_transaction_policy { decoupled: true }",
        "instance_group [{ kind: KIND_CPU, count: 1 }]",
        *(
            _tensor("input", name, kind, optional=name != "text_input")
            for name, kind in inputs.items()
        ),
        *(_tensor("output", name, TOLD[name]) for name in outputs),
    ]
    (folder / "config.pbtxt").write_text("\n".join(lines))


def _tensor(what: str, name: str, kind: str, *, optional: bool = False) -> str:
    size = -1 if name == "stop_words" else 1
    more = ", optional: true" if optional else ""
    return f'{what} [{{ name: "{name}", data_type: TYPE_{kind}, dims: [{size}]{more} }}]'
