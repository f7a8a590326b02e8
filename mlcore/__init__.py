"""Preprocessing, training and inference of the digit reader. Knows no Django.

- `reading`: from a drawing to a reading. `ink` makes a bitmap of strokes or a picture,
  `preprocess` frames it as MNIST frames its digits, `inference` reads it with the model
  of a `bundle`.
- `training`: from `data` to a trained bundle. `train` is the script to read first.
- `judging`: figures and reports about a bundle, and the gate between two of them.

Imports run one way: `judging` uses `training` and `reading`, `training` uses `reading`.
"""
