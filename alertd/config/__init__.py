"""The configuration: YAML and environment in, one frozen Config out, or every problem at once."""
