"""Prompts, agents and workflows from elsewhere, written to a server over its API."""
