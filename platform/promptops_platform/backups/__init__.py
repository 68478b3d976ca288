"""Backups of a platform: one file with its database, the history of Prefect and its identity."""
