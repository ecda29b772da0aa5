"""An archive that came over HTTP: its folder, and the process that classifies it.

``folder`` is what the web process and the runner share; it loads nothing heavy. ``python -m
backfill.archive FOLDER`` is the runner, ``--check`` looks at an upload before it is accepted.
"""
