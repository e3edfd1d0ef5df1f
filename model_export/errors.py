"""What a user of the command line is told in one sentence instead of a traceback."""

from pydantic import ValidationError


class ModelExportError(Exception):
    """A problem with the data, the configuration, a run or a bundle that its reader can mend."""


def first_problem(error: ValidationError) -> str:
    """The first of what pydantic found, after its place: ``training.epochs: Input should …``."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}"
