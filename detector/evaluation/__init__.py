"""How good a watch is, by event: whole prints go in, figures with intervals come out. Pure, over numpy."""
