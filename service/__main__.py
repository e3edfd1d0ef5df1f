"""``python -m service``: read the settings, serve, say in one sentence what went wrong."""

import logging
import os
import sys

from service.signals import hold_back_signals
from service.standard_streams import open_closed_descriptors


def main() -> int:
    hold_back_signals()
    open_closed_descriptors()
    # One text is one thread's work; a pool of the tokenizer's own would not survive the forks.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # Imported late: signals are held back from the first moment on, and --help and a bad setting
    # answer at once.
    from service.settings import SettingError, read_settings

    try:
        settings = read_settings(sys.argv[1:])
        from service.engine.bundle import BundleError
        from service.environment import warn_of_variables
        from service.host import serve
        from service.json_log import log_json

        log_json()
        warn_of_variables(list(type(settings).model_fields))
        try:
            return serve(settings)
        except BundleError as error:
            raise SettingError(str(error)) from None
    except SettingError as error:
        print(f"python -m service: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()  # what is logged is written, unless nobody reads
    sys.stderr.flush()
    # The interpreter takes 0.3 s, on a busy machine more, to tear down what the kernel frees at
    # once; until then whoever waits for the end, to start the next one, waits in vain.
    os._exit(exit_code)
