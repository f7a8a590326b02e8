"""The API's views, one module per noun: parse, call one service, answer."""
