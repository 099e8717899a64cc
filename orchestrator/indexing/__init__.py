"""Indexes as projections of the catalog's log, and the lease by which a process trusts them."""
