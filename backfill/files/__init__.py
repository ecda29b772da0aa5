"""Files that survive crashes, and locks on folders."""
