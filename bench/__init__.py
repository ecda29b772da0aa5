"""The measurements behind ``docs/``, each one command. They need a checkout: its harness starts the servers."""
