"""Developer tools; tests and benchmarks share the server and the browser here."""
