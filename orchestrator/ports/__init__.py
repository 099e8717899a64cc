"""What the product needs of the world: one Protocol per role, in domain types.

Vectors are the one exception: `numpy` arrays of float32, `[n, dimension]`, L2-normalised.
Every port may raise `Unavailable`, and no other error unless its docstring names one.
An adapter that speaks to a server also has `async def ping() -> None`, which raises `Unavailable`.
"""
