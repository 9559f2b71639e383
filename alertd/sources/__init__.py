"""Decoders of input formats, pure: bytes in, events out, or the fields that are wrong."""
