"""The report on a classified archive: one page with pictures."""
