#!/usr/bin/env bash
# Ask PyPI for known vulnerabilities of every pin. Fails where its service does not
# answer for every one of them.
set -euo pipefail
cd "$(dirname "$0")/.."
for layer in serve train dev; do
  .venv/bin/python -m pip_audit --strict --disable-pip --require-hashes \
    --progress-spinner off -r "requirements/$layer.txt"
done
