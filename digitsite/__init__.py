"""The Django project."""

import os

# Set before NumPy is first imported: no matrix here is large enough for more than one
# thread, and to start the others takes 40 ms and their stacks' memory in each process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
