"""The admin HTTP interface."""
