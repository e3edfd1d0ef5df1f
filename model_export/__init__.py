"""From labelled texts to a bundle: train, trace, verify, publish."""
