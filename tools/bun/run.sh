#!/bin/sh
# Runs the pinned Bun: the one on PATH when its version fits, else a private copy installed once
# from tools/bun/package-lock.json. Dependencies of the project are installed when bun.lock changed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
want=$(sed -n 's/.*"bun": *"\([0-9.]*\)".*/\1/p' "$here/package.json")
bun=bun
if ! command -v bun >/dev/null 2>&1 || [ "$(bun --version 2>/dev/null)" != "$want" ]; then
  bun="$here/node_modules/.bin/bun"
  if [ ! -x "$bun" ] || [ "$("$bun" --version 2>/dev/null)" != "$want" ]; then
    command -v npm >/dev/null 2>&1 || { echo "penstock needs Bun $want, or npm to install it" >&2; exit 127; }
    npm ci --prefix "$here" --no-audit --no-fund --loglevel=error >&2
  fi
  PATH="$here/node_modules/.bin:$PATH"
  export PATH
fi
stamp="$root/node_modules/.lock-stamp"
if ! cmp -s "$root/bun.lock" "$stamp" 2>/dev/null; then
  (cd "$root" && "$bun" install --frozen-lockfile >&2)
  mkdir -p "$root/node_modules" && cp "$root/bun.lock" "$stamp"
fi
exec "$bun" "$@"
