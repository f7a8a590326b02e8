"""Benchmarks: how fast the site is, measured from outside."""
