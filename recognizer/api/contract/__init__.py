"""What the API takes and answers: each field is described once.

`incoming` and `outgoing` hold the models. Validation, the OpenAPI description and the
error messages all come from them.
"""
