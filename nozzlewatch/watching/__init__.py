"""``nozzlewatch train``, ``evaluate`` and their like: the network that watches prints."""
