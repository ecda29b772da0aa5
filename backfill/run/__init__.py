"""What every part knows of a run: its plan, its counts, where it is shown, and whether it shall stop."""
