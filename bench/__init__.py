"""Measurements: ``python -m bench`` (speed, size); ``bench.simulated``, ``bench.novelty`` (what is told)."""
