"""Training and scoring of the classifiers that the service runs."""
