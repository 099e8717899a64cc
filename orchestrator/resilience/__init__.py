"""What keeps answers coming when a model server fails: wrappers around ports, themselves ports."""
