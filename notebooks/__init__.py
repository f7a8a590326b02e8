"""The notebook about the model: its text, its executed form, and the command."""
