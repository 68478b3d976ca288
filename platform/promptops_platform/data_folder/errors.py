"""Reasons why a platform can't use its data folder."""


class DataFolderInUse(Exception):
    """Another platform runs on the folder; the message names its pid."""


class DataFolderNotUsable(Exception):
    """The folder or a file in it can't be used; the message names it and says what to do."""
