"""The composition root: the only package besides the configuration that names adapters."""
