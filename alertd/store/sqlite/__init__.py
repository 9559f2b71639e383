"""The store on one SQLite file: one writer thread with group commit, aiosqlite for reads."""
