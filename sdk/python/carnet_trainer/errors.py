"""Why a request to a trainer failed."""

CODES = (
    "protocol",  # not a line of protocol 1, or a request out of order
    "unsupported",  # a device or an operation that this trainer does not have
    "settings",  # an unknown setting, a missing one, or a value out of its range
    "layout",  # the layout, the parameters or the data have other names or shapes than expected
    "parameters",  # the parameter file is missing, unreadable or malformed
    "data",  # a data file is missing, unreadable or malformed
    "not-finite",  # a parameter, a delta or a metric is NaN or infinite
    "io",  # an output could not be written
    "internal",  # a bug in the trainer
)


class TrainerError(Exception):
    """An error with one of CODES.

    Only the code may leave the worker's machine. The message goes to the worker's log: it may name files, lines
    and fields, but should never quote their contents.
    """

    def __init__(self, code, message):
        if code not in CODES:
            raise ValueError(f"TrainerError: the code must be one of {', '.join(CODES)}")
        super().__init__(message)
        self.code = code
        self.message = message
