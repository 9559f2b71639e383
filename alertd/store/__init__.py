"""Durable state behind small protocols, one per consumer."""
