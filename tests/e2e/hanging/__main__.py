import sys

from service.host import serve
from service.json_log import log_json
from service.settings import read_settings
from tests.e2e.hanging.hanging_api import HangingApi

if __name__ == "__main__":
    log_json()
    sys.exit(serve(read_settings(sys.argv[1:]), HangingApi))
