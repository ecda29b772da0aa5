"""``sluice worker``: one worker process, or several."""
