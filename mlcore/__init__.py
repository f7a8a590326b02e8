"""Preprocessing, training and inference of the digit reader. Knows no Django.

The way of a drawing: `ink` makes a bitmap of strokes or a picture, `preprocess`
frames it as MNIST frames its digits, `inference` reads it with the model of a
`bundle`. The way of a model: `data`, `augment`, `model`, `train`, `calibrate`,
`evaluate`, `bundle`.
"""
