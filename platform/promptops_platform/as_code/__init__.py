"""Prompts, agents and workflows as files in a folder, kept in step with a server over its API."""
