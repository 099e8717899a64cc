"""Settings: what a deployment chooses, by configuration alone."""

from orchestrator.settings.tree import DEFAULT, STAGES, Settings, load

__all__ = ["DEFAULT", "STAGES", "Settings", "load"]
