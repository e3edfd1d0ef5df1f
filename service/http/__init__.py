"""From HTTP bytes to texts and from logits to HTTP bytes. Asks ``queueing``, knows no worker."""
