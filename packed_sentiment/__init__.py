"""The product by its name: one command line in front of the server, the training and the rest."""
