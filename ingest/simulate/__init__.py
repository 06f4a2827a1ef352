"""Simulated printers: physics, a Marlin firmware on a pty, a camera, and faults that come by themselves.

From the inside out: ``thermal``, ``thermistor`` and ``pid`` make a ``heater``; ``jobs`` draws what is printed
and reads it as a ``toolpath``; heaters, toolpath, ``extruder`` and ``mishaps`` make a ``printer`` with its
``plate``; ``wire``, ``replies``, ``commands``, ``waiting`` and ``protection`` make the ``firmware`` that runs
it. ``looks`` draws how printer and camera look, ``render`` shows a ``moment`` of it. ``simulated`` puts them
under one virtual time without I/O.

``scenario`` draws all of a print by split and seed; ``prints`` and ``told`` make a recording of it,
``produce`` sets of recordings. ``recording`` writes pictures and a serial log instead, ``farm`` runs printers
in real time behind ``pty_port`` and ``camera_server``, ``demo`` says what goes wrong there, and ``camera`` is
how ingest watches it.
"""
