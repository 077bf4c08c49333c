#!/usr/bin/env bash
# Installs a lock, and this repository, into .venv: by uv, or by pip where uv is not to be had.
#
# usage: tools/install.sh LOCK
set -euo pipefail

lock=$1 python=.venv/bin/python
pip=("$python" -m pip --disable-pip-version-check -q)
uv=$(command -v uv || command -v .venv/bin/uv || true)

if [ -z "$uv" ]; then
  # The version that the lock of development names, checked against its hashes.
  wanted=$(mktemp) && trap 'rm -f "$wanted"' EXIT
  sed -n '/^uv==/,/[^\\]$/p' requirements-dev.lock >"$wanted"
  "${pip[@]}" install --require-hashes -r "$wanted" && uv=.venv/bin/uv || uv=
fi

echo "Installing the dependencies of $lock into .venv (a minute or so) ..."
if [ -n "$uv" ] && "$uv" pip install -q --compile-bytecode --python "$python" --require-hashes -r "$lock"; then
  "$uv" pip install -q --python "$python" --no-deps --no-build-isolation -e .
else
  "${pip[@]}" install --require-hashes -r "$lock"
  "${pip[@]}" install --no-deps --no-build-isolation -e .
fi
