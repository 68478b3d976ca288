"""What this installation is made of and how it is, for its administrators."""
