"""Patterns over event types, pure: one pattern, and the index of all channels."""
