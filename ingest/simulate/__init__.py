"""Simulated printers: physics, a Marlin firmware on a pty, a camera, and faults that come by themselves.

From the inside out: ``thermal``, ``thermistor`` and ``pid`` make a ``heater``; heaters, ``toolpath`` and
``faults`` make a ``printer``; ``wire``, ``replies``, ``commands``, ``waiting`` and ``protection`` make the
``firmware`` that runs it; ``scene`` shows it. ``simulated`` puts them under one virtual time without I/O;
``recording`` writes that to files, ``farm`` runs it in real time behind ``pty_port`` and ``camera_server``,
``demo`` says what goes wrong, and ``camera`` is how ingest watches it.
"""
