"""Numbers that other tools measured, read and judged, and ours written so that they can read them."""
