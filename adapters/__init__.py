"""The backends: one module each, behind the ports of `orchestrator.ports`."""
