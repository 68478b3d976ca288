"""Why a platform can't use its data folder."""


class DataFolderInUse(Exception):
    """Another platform runs on the folder; the text names its pid."""


class DataFolderNotUsable(Exception):
    """The folder or a file in it can't be used; the text names it and says what to do."""
