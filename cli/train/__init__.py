"""`sluice train`: options, progress, summary."""
