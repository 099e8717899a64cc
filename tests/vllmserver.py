"""A real vLLM, with a tiny Llama whose weights are by chance, in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.builders import free_port

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv-vllm"
NAME = "tiny-llama"
WINDOW = 512
WIDTH, LAYERS, HEADS, INNER, WORDS = 128, 4, 2, 256, 400
START_S = 300.0
TAUGHT = [
    "When are refunds paid? Refunds are paid within 7 days of purchase.",
    '{"colour": "red"} {"colour": "green"} Answer in one sentence, please.',
]
TEMPLATE = (
    "{% for one in messages %}{{ one['role'] }}: {{ one['content'] }}\n{% endfor %}assistant: "
)


class VllmServer:
    """vLLM on a port of its own; `key` is what it wants to be shown."""

    def __init__(self, folder: Path, key: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._log = folder / "vllm.log"
        self._process: subprocess.Popen[bytes] | None = None
        make_model(folder / "model")
        chosen = {
            "host": "127.0.0.1",
            "port": port,
            "api-key": key,
            "served-model-name": NAME,
            "max-model-len": WINDOW,
            "dtype": "float32",
            "max-num-seqs": 16,
        }
        self._command = [
            str(ENVIRONMENT / "bin" / "python"),
            "-m",
            "vllm.entrypoints.openai.api_server",
            f"--model={folder / 'model'}",
            "--enforce-eager",
            *(f"--{name}={value}" for name, value in chosen.items()),
        ]

    def busy(self) -> int:
        """How many answers it works at, by its own account."""
        told = httpx.get(f"{self.url}/metrics", timeout=10).text
        found = re.findall(
            r"^vllm:num_requests_(?:running|waiting)\{.*\} (\S+)$", told, re.MULTILINE
        )
        return int(sum(map(float, found)))

    def start(self) -> None:
        """Start, and wait until it says that it is well."""
        offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        sizes = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**_inherited(), **offline, **sizes}, stdout=log, stderr=log
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self._process.poll() is None:
            if self._well():
                return
            time.sleep(0.5)
        raise RuntimeError(f"vllm did not start: {self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        """End it."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _well(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False


def missing() -> str | None:
    """Why there is no vLLM, if there is none."""
    if (ENVIRONMENT / "installed").exists():
        return None
    return "vLLM is not built: scripts/test --live-vllm builds it, 3.5 GB"


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def make_model(folder: Path) -> None:
    """Four layers by chance that never end by themselves, and say printable ASCII alone."""
    folder.mkdir()
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    words = tokenizer.get_vocab_size()
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "vocab_size": words,
        "max_position_embeddings": WINDOW,
        "rms_norm_eps": 1e-5,
        "bos_token_id": tokenizer.token_to_id("<s>"),
        "eos_token_id": tokenizer.token_to_id("</s>"),
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "model_max_length": WINDOW,
        "chat_template": TEMPLATE,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    save_file(_weights(tokenizer, words), folder / "model.safetensors", metadata={"format": "pt"})


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TAUGHT * 5, trainer)
    return tokenizer


def _weights(tokenizer: Tokenizer, words: int) -> dict[str, Any]:
    chance = np.random.default_rng(7)

    def some(*shape: int) -> Any:
        return chance.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)

    last = some(words, WIDTH)
    for at in range(words):  # a row of zeros is never the likeliest
        text = tokenizer.decode([at])
        if not text or not all(" " <= one <= "~" for one in text):
            last[at] = 0
    weights = {"model.embed_tokens.weight": some(words, WIDTH), "lm_head.weight": last}
    weights["model.norm.weight"] = np.ones(WIDTH, np.float32)
    for layer in (f"model.layers.{at}" for at in range(LAYERS)):
        for name in ("q", "k", "v", "o"):
            weights[f"{layer}.self_attn.{name}_proj.weight"] = some(WIDTH, WIDTH)
        for name in ("gate", "up"):
            weights[f"{layer}.mlp.{name}_proj.weight"] = some(INNER, WIDTH)
        weights[f"{layer}.mlp.down_proj.weight"] = some(WIDTH, INNER)
        for name in ("input", "post_attention"):
            weights[f"{layer}.{name}_layernorm.weight"] = np.ones(WIDTH, np.float32)
    return weights
