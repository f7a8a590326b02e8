"""Measuring and comparing bundles. Uses `mlcore.training` and `mlcore.reading`."""
