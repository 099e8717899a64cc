"""Archives whose entries are read one by one."""
