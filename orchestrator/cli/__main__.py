"""`python -m orchestrator.cli`: the `rag` command, wherever its script is."""

from orchestrator.cli.main import main

main()
