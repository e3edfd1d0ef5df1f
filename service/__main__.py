"""``python -m service``: read the settings, serve, say in one sentence what went wrong."""

import logging
import os
import sys

from service.settings import SettingError, read_settings


def main() -> int:
    # One text is one thread's work; a pool of the tokenizer's own would not survive the forks.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        settings = read_settings(sys.argv[1:])
        # Imported late, so that --help and a bad setting answer at once.
        from service.engine.bundle import BundleError
        from service.host import serve
        from service.json_log import log_json

        log_json()
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
    sys.stdout.flush()
    # The interpreter takes 0.3 s, on a busy machine more, to tear down what the kernel frees at
    # once; until then whoever waits for the end, to start the next one, waits in vain.
    os._exit(exit_code)
