"""Ways from a text to its answer: through the broker, or a model in this process."""
