"""Prompts, agents and workflows as files in a folder, synchronized with a server over its API."""
