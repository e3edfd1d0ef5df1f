"""``python -m packed_sentiment`` is ``packed-sentiment``."""

from packed_sentiment.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
