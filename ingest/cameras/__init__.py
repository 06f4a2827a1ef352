"""The cameras: one file per kind, one line each in the registry."""
