"""Good-seeing templates against deep ones: pure functions of what was measured of each subtraction."""
