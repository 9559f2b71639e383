"""Destination types: what is sent where, and what its answer means."""
