"""Hypothesis without its clock here: how long one example takes says more about the machine than about a decoder."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("sources", deadline=None)
settings.load_profile("sources")
