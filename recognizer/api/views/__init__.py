"""The calls of the API, by noun: parse, one call of the domain, answer."""
