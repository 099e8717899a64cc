"""A language model for Triton's Python backend, which runs it: it says again what it was told.

Where much is asked for it goes on, slowly, until it is cancelled. It has the tensors of the vLLM
backend and those of TensorRT-LLM's; `busy` in its folder says how many answers it works at.
"""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

TOKENS = re.compile(r"\s?[A-Za-z]{1,6}|\s?[0-9]{1,3}|\s?[^\sA-Za-z0-9]|\s")
WINDOW = 512
LONG = "Refunds are paid within 7 days. " * 50


class TritonPythonModel:
    """What the Python backend calls."""

    def initialize(self, args):
        self._busy = Path(args["model_repository"], "busy")
        self._lock = threading.Lock()
        self._answers = 0
        self._work(0)

    def execute(self, requests):
        for request in requests:
            self._work(+1)
            threading.Thread(target=self._answer, args=(request,)).start()

    def _work(self, more):
        with self._lock:
            self._answers += more
            self._busy.write_text(str(self._answers))

    def _answer(self, request):
        sender = request.get_response_sender()
        try:
            self._tell(request, sender)
        finally:
            self._work(-1)
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _tell(self, request, sender):
        prompt = given(request, "text_input", "")
        chosen = json.loads(given(request, "sampling_parameters", "{}"))
        limit = int(chosen.get("max_tokens", given(request, "max_tokens", 16)))
        stops = chosen.get("stop") or stop_words(request)
        read = len(TOKENS.findall(prompt))
        if read + limit > WINDOW:
            message = f"Prompt length ({read}) exceeds maximum input length ({WINDOW})"
            sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError(message)))
            return
        text = LONG if limit > 100 else json_for(request, chosen) or f"You said: {prompt}"
        for stop in stops:
            text = text.split(stop)[0]
        said = TOKENS.findall(text)
        reason = "length" if len(said) > limit else "stop"
        said = said[:limit]
        for at, token in enumerate(said):
            if limit > 100:
                time.sleep(0.05)
            if sender.is_cancelled():
                return
            why = reason if at == len(said) - 1 else "None"
            sender.send(pb_utils.InferenceResponse(outputs(request, token, why, read)))


def given(request, name, otherwise):
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return otherwise
    value = tensor.as_numpy().reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else value


def stop_words(request):
    tensor = pb_utils.get_input_tensor_by_name(request, "stop_words")
    return [] if tensor is None else [one.decode() for one in tensor.as_numpy().reshape(-1)]


def json_for(request, chosen):
    """The first value that each property of the schema allows."""
    wanted = json.loads(chosen.get("structured_outputs", "{}")).get("json")
    if guide := given(request, "guided_decoding_guide", ""):
        wanted = json.loads(guide)
    if not wanted:
        return None
    return json.dumps({name: one["enum"][0] for name, one in wanted["properties"].items()})


def outputs(request, token, reason, read):
    told = {"text_output": np.array([token.encode()], dtype=object)}
    if given(request, "return_finish_reason", False):
        told["finish_reason"] = np.array([reason.encode()], dtype=object)
    if given(request, "return_num_input_tokens", False):
        told["num_input_tokens"] = np.array([read], dtype=np.uint32)
        told["num_output_tokens"] = np.array([1], dtype=np.uint32)
    return [pb_utils.Tensor(name, value) for name, value in told.items()]
