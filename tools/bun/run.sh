#!/bin/sh
# Runs the pinned Bun: the one on PATH when its version fits, else a private copy installed once
# from tools/bun/package-lock.json. Dependencies of the project are installed when bun.lock changed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
want=$(sed -n 's/.*"bun": *"\([0-9.]*\)".*/\1/p' "$here/package.json")
stamp="$root/node_modules/.lock-stamp"
lock="$here/.installing"

fits() { [ "$("$1" --version 2>/dev/null)" = "$want" ]; }
installed() { fits "$bun" && cmp -s "$root/bun.lock" "$stamp" 2>/dev/null; }

# Two installations at once would break each other, so the second waits for the first. A symbolic link is made in one
# step together with the process id it holds; the link of a process that is gone is taken away.
acquire() {
  until ln -s "$$" "$lock" 2>/dev/null; do
    holder=$(readlink "$lock") || continue
    kill -0 "$holder" 2>/dev/null || { rm -f "$lock"; continue; }
    sleep 1
  done
  trap 'rm -f "$lock"' EXIT
  trap 'exit 130' INT TERM HUP
}

install() {
  if ! fits "$bun"; then
    command -v npm >/dev/null 2>&1 || { echo "penstock needs Bun $want, or npm to install it" >&2; exit 127; }
    npm ci --prefix "$here" --no-audit --no-fund --loglevel=error >&2
  fi
  if ! cmp -s "$root/bun.lock" "$stamp" 2>/dev/null; then
    (cd "$root" && "$bun" install --frozen-lockfile >&2)
    cp "$root/bun.lock" "$stamp"
  fi
}

if fits bun; then
  bun=bun
else
  bun="$here/node_modules/.bin/bun"
  PATH="$here/node_modules/.bin:$PATH"
  export PATH
fi
if ! installed; then
  # In a shell of its own, because `exec` below would not run the trap that frees the lock.
  (acquire && install)
fi
exec "$bun" "$@"
