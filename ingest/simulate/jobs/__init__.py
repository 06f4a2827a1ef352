"""What the simulated printers print: jobs as G-code text and as toolpaths."""
