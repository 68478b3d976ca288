"""The embedded Prefect server: one process, one SQLite file, always protected by a password."""
