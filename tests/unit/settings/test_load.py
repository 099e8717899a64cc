"""Loading: what overrides what, and the sentence that is said of everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from traceback import format_exception

import pytest

from orchestrator.answering.prompts import Prompts, prompts
from orchestrator.domain.errors import Misconfigured
from orchestrator.domain.workspaces import Fusion, Understanding
from orchestrator.settings import STAGES, generators, load, options


@pytest.fixture
def env(monkeypatch):
    def setting(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return setting


@pytest.fixture
def profile(tmp_path):
    """A profile file: the mock profile with these lines instead of its own."""

    def written(lines, *, name="own.yaml"):
        path = tmp_path / name
        path.write_text(lines)
        return str(path)

    return written


KINDS = "\n".join(
    f"{stage}: {{kind: {kind}}}"
    for stage, kind in {
        "embedder": "mock",
        "vectors": "memory",
        "keywords": "rank-bm25",
        "retriever": "mock",
        "reranker": "none",
        "catalog": "sqlite",
        "blobs": "filesystem",
        "queue": "local",
    }.items()
)
OWN = f"""
{KINDS}
port: 9001
log_level: warning
cache: {{kind: redis, url: "redis://cache:6379/1", ttl_s: 60}}
generator: {{kind: extractive, sentences: 4}}
"""


STRATEGY = "Input should be 'recursive', 'sentence', 'structure' or 'semantic'"
CHUNKING = "chunks hold 16 to 8192 tokens, and overlap by less than half of them"


def refused(**overrides):
    with pytest.raises(Misconfigured) as caught:
        load(**overrides)
    return caught.value.detail


def test_without_a_choice_the_profile_is_local():
    settings = load()

    assert settings.profile == "local"
    assert [settings.named(stage)["default"].kind for stage in STAGES] == [
        "memory",
        "onnx",
        "faiss",
        "tantivy",
        "hybrid",
        "none",
        "extractive",
    ]


@pytest.mark.parametrize("name", ["local", "mock"])
def test_every_profile_that_is_shipped_loads(name):
    assert load(profile=name).profile == name


def test_the_profile_comes_from_the_environment(env):
    env(RAG_PROFILE="mock")

    assert load().generator.kind == "mock"


def test_a_profile_may_be_a_file(env, profile):
    path = profile(OWN)
    env(RAG_PROFILE=path)

    settings = load()

    assert (settings.profile, settings.port, settings.log_level) == (path, 9001, "warning")


def test_the_environment_overrides_the_profile(env, profile):
    env(RAG_PORT="9002")

    settings = load(profile=profile(OWN))

    assert (settings.port, settings.log_level) == (9002, "warning")


def test_overrides_override_the_environment(env, profile):
    env(RAG_PORT="9002", RAG_PROFILE="local")

    settings = load(profile=profile(OWN), port=9003, host=None)

    assert (settings.port, settings.host) == (9003, "127.0.0.1")


def test_an_option_is_overridden_and_the_others_stay(env, profile):
    env(RAG_CACHE__TTL_S="5", RAG_HTTP__TIMEOUT_S="2")

    settings = load(profile=profile(OWN))

    assert (settings.cache.ttl_s, str(settings.cache.url)) == (5, "redis://cache:6379/1")
    assert (settings.http.timeout_s, settings.http.max_body_bytes) == (2, 1_000_000)


def test_the_same_kind_again_keeps_its_options(env, profile):
    env(RAG_GENERATOR__KIND="extractive")

    assert load(profile=profile(OWN)).generator.sentences == 4


def test_another_kind_drops_the_options_of_the_one_before(env, profile):
    env(RAG_CACHE__KIND="memory", RAG_GENERATOR__KIND="mock")

    settings = load(profile=profile(OWN))

    assert settings.cache == options.MemoryCacheOptions(kind="memory")
    assert settings.generator == generators.MockGeneratorOptions(kind="mock")


def test_another_kind_may_come_with_options_of_its_own(env, profile):
    env(RAG_CACHE__KIND="memory", RAG_CACHE__ENTRIES="7")

    assert load(profile=profile(OWN)).cache == options.MemoryCacheOptions(kind="memory", entries=7)


def test_named_backends_stand_beside_the_default(env):
    env(RAG_GENERATORS__CHEAP__KIND="mock", RAG_GENERATORS__SHORT__KIND="extractive")
    env(RAG_GENERATORS__SHORT__SENTENCES="1")

    named = load().named("generator")

    assert named.keys() == {"default", "cheap", "short"}
    assert (named["cheap"].kind, named["short"].sentences) == ("mock", 1)
    assert named["default"].kind == "extractive"


def test_a_named_backend_cannot_take_the_defaults_place(env):
    env(RAG_GENERATORS__DEFAULT__KIND="mock")

    assert load().named("generator")["default"].kind == "extractive"


def test_the_default_configuration_of_workspaces_is_a_setting(env):
    env(RAG_WORKSPACE__FUSION__METHOD="rrf", RAG_WORKSPACE__CHUNKING__TOKENS="64")

    workspace = load().workspace

    assert workspace.fusion == Fusion(method="rrf")
    assert (workspace.chunking.tokens, workspace.depth) == (64, 100)


def test_lists_of_a_workspace_are_json_however_deep_they_stand(env):
    env(
        RAG_GENERATORS__SMALL__KIND="mock",
        RAG_WORKSPACE__MODELS__ALLOWED='["small"]',
        RAG_WORKSPACE__UNDERSTANDING='{"synonyms": [["PTO", "leave"]], "parts": false}',
    )

    found = load(profile="mock").workspace

    assert found.models.allowed == ("small",)
    assert found.understanding == Understanding(synonyms=(("PTO", "leave"),), parts=False)


@pytest.mark.parametrize("value", ["small", '["small"', '{"small": 1}', "[1]"])
def test_what_is_no_list_of_names_is_told(env, value):
    env(RAG_WORKSPACE__MODELS__ALLOWED=value)

    with pytest.raises(Misconfigured, match=r"workspace\.models\.allowed"):
        load(profile="mock")


def test_variables_may_be_written_in_any_case(env):
    env(rag_generator__kind="mock")

    assert load().generator.kind == "mock"


def test_lists_are_json(env):
    env(RAG_HTTP__CORS_ORIGINS='["https://a.example", "https://b.example"]')

    assert load().http.cors_origins == ("https://a.example", "https://b.example")


def test_variables_of_others_are_left_alone(env):
    env(RAGE="1", PROFILE="x", XRAG_PORT="1")

    assert load().profile == "local"


def test_folders_lie_below_the_data_folder_unless_said_otherwise():
    near, far = load(data_dir="/srv/rag"), load(data_dir="/srv/rag", models="/srv/models")

    assert near.indexes_dir == Path("/srv/rag/indexes")
    assert (near.models_dir, far.models_dir) == (Path("/srv/rag/models"), Path("/srv/models"))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"RAG_GENERATOR__KIND": "extractiv"},
            "unknown generator 'extractiv': did you mean 'extractive'?",
        ),
        (
            {"RAG_GENERATOR__KIND": "gpt"},
            (
                "unknown generator 'gpt': there are 'extractive', 'litellm', 'mock', 'openai', "
                "'triton', 'vllm'"
            ),
        ),
        ({"RAG_CACHE__KIND": "radis"}, "unknown cache 'radis': did you mean 'redis'?"),
        (
            {"RAG_CATALOG__KIND": "sqllite"},
            "unknown catalog 'sqllite': did you mean 'sqlite'?",
        ),
        (
            {"RAG_CACHES__FAR__KIND": "radis"},
            "unknown caches.far 'radis': did you mean 'redis'?",
        ),
        (
            {"RAG_CACHE__TTL": "5"},
            "unknown option 'ttl' of cache 'memory': did you mean 'ttl_s'?",
        ),
        (
            {"RAG_GENERATOR__SENTENCE": "5"},
            "unknown option 'sentence' of generator 'extractive': did you mean 'sentences'?",
        ),
        (
            {"RAG_CACHES__FAR__KIND": "redis", "RAG_CACHES__FAR__URI": "x"},
            "unknown option 'uri' of caches.far 'redis': did you mean 'url'?",
        ),
        (
            {"RAG_VECTORS__DEPTH": "5"},
            (
                "unknown option 'depth' of vectors 'faiss': there are 'exact_until', "
                "'training_niceness', 'training_threads'"
            ),
        ),
        ({"RAG_HTTP__TIMEOUT": "5"}, "unknown option 'timeout' of section 'http'"),
        ({"RAG_GENERATORS__CHEAP__SENTENCES": "1"}, "generators.cheap needs a 'kind'"),
        (
            {"RAG_GENRATOR__KIND": "mock"},
            "unknown environment variable 'RAG_GENRATOR__KIND': did you mean 'RAG_GENERATOR'?",
        ),
        (
            {"RAG_GENERATOR_KIND": "mock"},
            "unknown environment variable 'RAG_GENERATOR_KIND': did you mean 'RAG_GENERATOR'?",
        ),
        ({"RAG_PROFILE": "lokal"}, "unknown profile 'lokal': did you mean 'local'?"),
        ({"RAG_PROFILE": "x"}, "unknown profile 'x': there are 'cluster', 'local', 'mock'"),
        ({"RAG_PORT": "99999"}, "port: Input should be less than or equal to 65535"),
        (
            {"RAG_LOG_LEVEL": "loud"},
            "log_level: String should match pattern '^(debug|info|warning|error)$'",
        ),
        (
            {"RAG_GENERATOR__EVIDENCE": "2"},
            "generator.extractive.evidence: Input should be less than or equal to 1",
        ),
        (
            {"RAG_WORKSPACE__CHUNKING__TOKENS": "5"},
            "workspace.chunking: " + CHUNKING,
        ),
        (
            {"RAG_WORKSPACE__CHUNKING__STRATEGY": "paragraph"},
            "workspace.chunking.strategy: " + STRATEGY,
        ),
    ],
)
def test_a_mistake_in_the_environment_is_told_in_a_sentence(env, variables, sentence):
    env(**variables)

    assert refused() == sentence


def test_two_mistakes_are_told_in_two_sentences(env):
    env(RAG_CACHE__KIND="radis", RAG_PORT="-1")

    assert refused().split("; ") == [
        "port: Input should be greater than or equal to 0",
        "unknown cache 'radis': did you mean 'redis'?",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("port: [", "is not YAML"),
        ("- port", "must be a mapping of settings"),
        ("", "must be a mapping of settings"),
        (f"{KINDS}\ncache: {{kind: none}}", "generator is missing"),
        (f"{OWN}\ncolour: blue", "unknown setting 'colour'"),
    ],
)
def test_a_mistake_in_a_profile_is_told_in_a_sentence(profile, lines, words):
    assert words in refused(profile=profile(lines))


def test_a_profile_file_that_is_missing_is_unknown():
    assert refused(profile="/nowhere/own.yaml").startswith("unknown profile '/nowhere/own.yaml'")


def test_a_key_may_end_with_the_line_of_its_file(env):
    env(RAG_GENERATOR__KIND="vllm", RAG_GENERATOR__API_KEY="hunter2\n")
    env(RAG_GENERATOR__HEADERS__X_TEAM=" rag \r\n")

    chosen = load().generator

    assert chosen.api_key.get_secret_value() == "hunter2"
    assert chosen.headers["x_team"].get_secret_value() == "rag"


@pytest.mark.parametrize("name", ["API_KEY", "HEADERS__X_TEAM"])
@pytest.mark.parametrize("secret", ["hunter2\nx: 1", "hunter2\x1bx", "hunter2ключ", " "])
def test_a_key_that_no_header_may_hold_stops_the_start_and_is_not_shown(env, name, secret):
    env(**{"RAG_GENERATOR__KIND": "vllm", f"RAG_GENERATOR__{name}": secret})

    told = refused()

    assert "plain ASCII" in told
    assert "hunter2" not in told


def test_a_password_is_not_shown(env):
    env(RAG_CACHE__KIND="redis", RAG_CACHE__PASSWORD="open-sesame")
    env(RAG_CACHES__FAR__KIND="redis", RAG_CACHES__FAR__PASSWORD="hunter2")

    settings = load()

    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "open-sesame" not in shown
        assert "hunter2" not in shown
    assert settings.cache.password.get_secret_value() == "open-sesame"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://rag:hunter2@cache:6379/1", "redis://rag:**********@cache:6379/1"),
        ("rediss://:hunter:2@cache:6379/1", "rediss://:**********@cache:6379/1"),
        ("redis://cache:6379/1?password=hunter2", "redis://cache:6379/1?password=**********"),
        ("redis://rag@cache:6379/1", "redis://rag@cache:6379/1"),
    ],
)
def test_a_url_of_redis_is_shown_without_its_password(env, url, shown):
    env(RAG_CACHE__KIND="redis", RAG_CACHE__URL=url, RAG_CACHES__FAR__KIND="redis")
    env(RAG_CACHES__FAR__URL=url)

    settings = load()

    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert text.count(shown) == 2
        assert "hunter" not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://rag:hunter2@db:5432/rag", "postgresql://rag:**********@db:5432/rag"),
        ("postgres://rag@/rag?host=/run/postgresql", "postgres://rag@/rag?host=/run/postgresql"),
    ],
)
def test_a_url_of_postgresql_is_shown_without_its_password(env, url, shown):
    env(RAG_CATALOG__KIND="postgresql", RAG_CATALOG__URL=url)

    settings = load()

    assert shown in repr(settings)
    assert "hunter" not in repr(settings)
    assert settings.catalog.url.get_secret_value() == url


@pytest.mark.parametrize("url", ["", "rag", "mysql://rag:hunter2@db/rag", "postgresql://"])
def test_a_url_that_is_not_of_postgresql_is_refused(env, url):
    env(RAG_CATALOG__KIND="postgresql", RAG_CATALOG__URL=url)

    assert "catalog" in refused()
    assert "hunter" not in refused()


@pytest.mark.parametrize(
    "variables",
    [
        {"RAG_CACHE__KIND": "redis", "RAG_CACHE__URL": "http://rag:hunter2@cache"},
        {"RAG_CACHE__KIND": "redis", "RAG_CACHE__URL": "redis://rag:hunter2@cache:port"},
        {"RAG_CACHE": "redis://rag:hunter2@cache"},
        {"RAG_CACHE__PASSWORD": "hunter2"},
    ],
    ids=lambda variables: next(reversed(variables.values())),
)
def test_a_mistake_is_told_without_the_password(env, variables):
    env(**variables)

    with pytest.raises(Misconfigured) as caught:
        load()

    assert "hunter2" not in "".join(format_exception(caught.value))


def test_a_profile_that_is_not_yaml_is_told_without_its_text(profile):
    assert "hunter2" not in refused(profile=profile('cache: {url: "redis://:hunter2@cache" x}'))


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1


def test_the_fingerprint_is_the_same_for_the_same_backends(env):
    first = load()
    env(RAG_PORT="9002", RAG_DATA_DIR="/elsewhere", RAG_LOG_LEVEL="error")

    assert load().fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "variables",
    [
        {"RAG_GENERATOR__KIND": "mock"},
        {"RAG_GENERATOR__SENTENCES": "3"},
        {"RAG_GENERATOR__EVIDENCE": "0.4"},
        {"RAG_RETRIEVER__KIND": "dense"},
        {"RAG_RERANKER__KIND": "mock"},
        {"RAG_EMBEDDER__MODEL": "/srv/other"},
        {"RAG_GENERATORS__CHEAP__KIND": "mock"},
    ],
    ids="-".join,
)
def test_the_fingerprint_changes_with_every_option_of_a_backend(env, variables):
    before = load().fingerprint
    env(**variables)

    assert load().fingerprint != before


@pytest.mark.parametrize("name", ["RAG_SOURCES__ROOTS", "RAG_HTTP__CORS_ORIGINS"])
def test_a_list_that_is_not_json_is_told_in_a_sentence(env, name):
    env(**{name: "/srv/documents"})

    assert refused() == f'{name} is not JSON: a list is written as \'["one", "another"]\''


def test_the_fingerprint_changes_with_every_prompt_of_the_package(env, monkeypatch):
    before, (first, *others) = load().fingerprint, list(prompts())
    changed = Prompts([replace(first, system=f"{first.system} Indeed."), *others])
    monkeypatch.setattr("orchestrator.settings.tree.prompts", lambda: changed)

    assert load().fingerprint != before
