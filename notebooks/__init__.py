"""The documented model: a notebook as text, the same executed, and what does that."""
