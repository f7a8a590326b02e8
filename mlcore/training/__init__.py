"""From data to a trained bundle. Uses `mlcore.reading`."""
