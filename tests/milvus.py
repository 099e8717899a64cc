"""A real Milvus server: the wheel's binary, unpacked once, on ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.builders import free_port

START_S = 120.0
UNPACKED = Path(sys.prefix, "share", "milvus")


class MilvusServer:
    """Milvus 2.3.5, standalone; it can be killed, and started again with what it had stored."""

    def __init__(self, folder: Path) -> None:
        from milvus import MilvusServerConfig, _initialize_data_files

        _initialize_data_files(UNPACKED)
        config = MilvusServerConfig(data_dir=str(folder))
        ports = [name for name in config.configurable_items if name.endswith("_port")]
        config.update(**{name: free_port() for name in ports})
        config.resolve()
        self.uri = f"http://127.0.0.1:{config.get('proxy_port')}"
        self._folder = folder
        self._health = f"http://127.0.0.1:{(metrics := free_port())}/healthz"
        self._environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "COMMON_SESSION_TTL": "5",  # so long is a killed one missed
            "METRICS_PORT": str(metrics),
            "MILVUS_RUN_DIR": str(folder / "run"),
            "ETCD_CONFIG_PATH": str(_etcd(folder)),
            "LD_LIBRARY_PATH": str(UNPACKED / "bin"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it says that it is well."""
        with (self._folder / "milvus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [UNPACKED / "bin" / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self._process.poll() is None:
            if self._well():
                return
            time.sleep(0.1)
        raise RuntimeError(f"milvus did not start: {self._folder / 'milvus.log'}")

    def kill(self) -> None:
        """End it without a farewell."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _well(self) -> bool:
        try:
            return "OK" in httpx.get(self._health, timeout=5).text
        except httpx.TransportError:
            return False


def _etcd(folder: Path) -> Path:
    """Where the etcd inside Milvus listens, which no setting of Milvus says."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    settings = {
        "name": "default",
        "data-dir": str(folder / "data" / "etcd.data"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
    path = folder / "configs" / "etcd.yaml"
    path.write_text(json.dumps(settings))
    return path
