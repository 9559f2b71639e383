"""The rows of the table: one module for each group that shares its runs."""
