"""What a user of the command line is told in one sentence instead of a traceback."""


class ModelExportError(Exception):
    """A problem with the data, the configuration, a run or a bundle that its reader can mend."""
