"""The embedded Prefect server: one process, one SQLite file, always behind a password."""
