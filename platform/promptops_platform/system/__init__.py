"""The parts of this installation and their state, for its administrators."""
