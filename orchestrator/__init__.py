"""The RAG orchestrator: answers that cite their sources, over pluggable backends."""

from importlib.metadata import version

__version__ = version("rag-orchestrator")
