"""The Django project."""

import os

# Set before NumPy is imported: no matrix here is large enough for several threads, and
# starting them costs each process 40 ms and the memory of their stacks.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
