"""From a drawing to a reading: all that serving needs. No TensorFlow."""
