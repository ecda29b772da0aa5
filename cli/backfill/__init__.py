"""``sluice backfill``: bulk classification of an archive, in flat memory."""
