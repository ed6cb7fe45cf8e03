"""Sky backgrounds: what they hold, whether they are flat, and whether what they were subtracted from closes."""
