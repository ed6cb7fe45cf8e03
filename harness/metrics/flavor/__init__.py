"""Flavors of a subtraction, judged by what they do with injected sources: pure functions of tables."""
