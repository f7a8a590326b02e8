"""From a drawing to a reading: all that serving needs. Knows no TensorFlow."""
