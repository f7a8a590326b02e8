#!/usr/bin/env bash
# Ask PyPI for known vulnerabilities of every pin. Fails where its service does not
# answer for every one of them; with --where-it-answers, only if it knows one.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
mode=${1:-}

audit() {
  local strict=--strict
  [ "$mode" = --where-it-answers ] && strict=
  "$python" -m pip_audit $strict --disable-pip --require-hashes \
    --progress-spinner off -r "requirements/$1.txt"
}

known=0
for layer in serve train dev; do
  if [ "$mode" != --where-it-answers ]; then
    audit "$layer"
  elif ! told=$(audit "$layer" 2>&1); then
    if grep -q '^Found [0-9]* known vulnerabilit' <<<"$told"; then
      printf '%s\n' "$told"
      known=1
    else
      echo "requirements/$layer.txt was not audited: $(tail -n 1 <<<"$told")"
    fi
  else
    printf '%s\n' "$told"
  fi
done
exit $known
