"""The three threads between the hub and the result store; each owns its state and is told by messages."""
