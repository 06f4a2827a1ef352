"""Pictures of simulated printers: a small software renderer and the webcam behind it."""
