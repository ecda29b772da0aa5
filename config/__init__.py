"""Settings: read once, typed, frozen, validated together."""
