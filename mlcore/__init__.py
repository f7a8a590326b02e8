"""Preprocessing, training and inference of the digit reader, without Django.

- `reading`: from a drawing to a reading. `rasterise` makes bitmaps of strokes.
  `pictures` decodes files, and `ink` makes bitmaps of them. `preprocess` frames bitmaps
  as MNIST frames its digits. `inference` reads them with the model of a `bundle`.
- `training`: from `data` to a trained bundle. `train` is the script to read first.
- `judging`: figures and reports about a bundle, and the gate between two of them.

Imports go one way: `judging` uses `training` and `reading`, `training` uses `reading`.
"""
