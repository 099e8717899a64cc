"""What can be known of the image and of the Compose file without an engine to run them."""

import json
import os
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.settings import load

ROOT = Path(__file__).resolve().parents[2]
SERVICE_KEYS = {
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "init",
    "ports",
    "read_only",
    "restart",
    "security_opt",
    "stop_grace_period",
    "tmpfs",
    "user",
    "volumes",
}
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "start_period", "retries"}


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture
def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last(instructions: list[tuple[str, str]], word: str) -> str:
    return [rest for found, rest in instructions if found == word][-1]


def image_environment(instructions: list[tuple[str, str]]) -> dict[str, str]:
    pairs = [pair for word, rest in instructions if word == "ENV" for pair in shlex.split(rest)]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def settings_with(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        if name.startswith("RAG_"):
            monkeypatch.setenv(name, value)
    return load()


def test_compose_file_has_the_shape_that_compose_reads(compose):
    assert set(compose) == {"services", "volumes"}
    for service in compose["services"].values():
        assert set(service) <= SERVICE_KEYS
        assert set(service["healthcheck"]) <= HEALTHCHECK_KEYS
        assert service["healthcheck"]["test"][0] == "CMD"
        assert all(isinstance(word, str) for word in service["healthcheck"]["test"])
        assert all(isinstance(word, str) for word in service.get("command", []))
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(compose["volumes"])


def test_every_container_runs_without_privileges_on_a_read_only_root(compose):
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_published_on_loopback_only_while_nobody_is_authenticated(compose):
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_settings_accept_the_environment_of_the_image(instructions, monkeypatch):
    settings = settings_with(image_environment(instructions), monkeypatch)

    assert settings.data_dir == Path("/data")
    assert not settings.models_dir.is_relative_to(settings.data_dir)


def test_settings_accept_the_environment_of_compose(compose, instructions, monkeypatch):
    service = compose["services"]["orchestrator"]
    variables = image_environment(instructions) | service["environment"]

    settings = settings_with(variables, monkeypatch)

    assert settings.cache.kind == "redis"
    assert settings.cache.url.get_secret_value().host in compose["services"]


def test_compose_waits_for_requests_and_for_the_worker_before_it_kills(compose, monkeypatch):
    service = compose["services"]["orchestrator"]
    settings = settings_with(service["environment"], monkeypatch)
    patience = int(service["stop_grace_period"].removesuffix("s"))

    assert settings.worker.placement == "subprocess"
    assert service["init"] is True
    assert patience > settings.http.shutdown_s + settings.worker.stop_s


def test_extras_that_the_image_names_are_there(instructions):
    (stated,) = re.findall(r"EXTRAS=([a-z0-9,]+)", (ROOT / "Dockerfile").read_text())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]

    assert set(stated.split(",")) <= set(extras)
    assert ("ARG", "EXTRAS=") in instructions


def test_data_folder_of_the_image_is_the_volume_of_compose(compose, instructions):
    data = image_environment(instructions)["RAG_DATA_DIR"]

    assert last(instructions, "VOLUME") == data
    assert f"data:{data}" in compose["services"]["orchestrator"]["volumes"]


def test_every_path_that_the_image_copies_is_there_and_is_not_ignored(instructions):
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = [
        source
        for word, rest in instructions
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]

    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, one) for one in kept), source


def test_what_the_last_stage_takes_over_is_what_the_first_made(instructions):
    text = (ROOT / "Dockerfile").read_text()
    build, _, run = text.rpartition("\nFROM ")
    taken = re.findall(r"^COPY --from=build (\S+)", run, flags=re.MULTILINE)

    assert taken
    assert all(path in build for path in taken)
    assert image_environment(instructions)["RAG_MODELS"] in taken


def test_image_runs_as_a_user_with_a_fixed_number_that_is_not_root(instructions):
    user, _, group = last(instructions, "USER").partition(":")

    assert int(user) > 0
    assert int(group) > 0


def test_image_asks_for_its_own_health_with_what_it_holds(instructions):
    options, _, command = last(instructions, "HEALTHCHECK").partition("CMD ")
    words = json.loads(command)

    assert "--interval=" in options
    assert words[:2] == ["python", "-c"]
    compile(words[2], "healthcheck", "exec")
    assert "'http://127.0.0.1:8000/health/live'" in words[2]


def test_image_starts_the_service_on_every_address_of_its_container(instructions):
    assert json.loads(last(instructions, "ENTRYPOINT")) == ["rag"]
    assert json.loads(last(instructions, "CMD")) == ["serve", "--host", "0.0.0.0"]
