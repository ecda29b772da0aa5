"""Sluice beside small honest implementations of the same work with other libraries (``docs/peers.md``)."""
