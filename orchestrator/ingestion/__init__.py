"""From a file to chunks that can be found: restartable, idempotent, and undone in one act."""
