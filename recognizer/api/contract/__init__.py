"""The API's request and response models: each field is described once.

`incoming` and `outgoing` hold the models. Validation, the OpenAPI description and the
error messages all come from them.
"""
