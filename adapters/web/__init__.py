"""Reading what other machines, or folders of this one, hold."""
