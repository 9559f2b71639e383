"""Lanes: bounded queues to destinations, retries, breakers."""
