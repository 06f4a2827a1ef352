"""How simulated farms look: all that a camera sees and that does not change during a print.

``sample`` draws a look for a split from what ``palettes``, ``cameras`` and ``printers`` have, and places the
camera by ``placing``. ``solids`` builds what stands and moves from ``heads``, ``frames``, ``bedside`` and
``things``; ``bed`` and ``room`` paint what lies under the part and behind the printer (``walls`` and
``chambers``, seen along ``rays``); ``visitors`` paints who comes between. All of it is drawn once per print,
but for the visitors.
"""
