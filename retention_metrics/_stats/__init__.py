"""Interval methods and tests that several metrics share: floats and arrays in, the same out."""
