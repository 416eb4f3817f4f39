#!/bin/sh
# A real TimescaleDB for tests, without Docker and without installing anything: PostgreSQL 17 with TimescaleDB (Apache
# edition) out of Debian 13's packages, unpacked into a cache folder and made to run on their own C library.
#
#   tools/timescaledb.sh start FOLDER   starts a server on a free port of 127.0.0.1 and prints its address; FOLDER is
#                                       empty or not there yet, and the user "postgres" can reach it when root starts it
#   tools/timescaledb.sh stop FOLDER    stops it; FOLDER may be removed then
#   tools/timescaledb.sh kill FOLDER    ends all its processes by SIGKILL, as a crash does
#   tools/timescaledb.sh restart FOLDER starts it again on the same port, where it recovers what it had acknowledged
#
# Needs Linux on x86-64 with apt-get, dpkg and Debian's archive keyring, as root or not. The first start downloads 38 MB
# from the mirror that apt is configured for, or DEBIAN_MIRROR. PENSTOCK_CACHE is the cache folder.
set -eu
umask 022

packages="postgresql-17 postgresql-client-17 postgresql-17-timescaledb patchelf"
# What the programs of those link against, nothing more: without LLVM, hence `jit = off` below.
libraries="libaudit1 libc6 libcap-ng0 libcap2 libcom-err2 libgcc-s1 libgssapi-krb5-2 libicu76 libk5crypto3 libkeyutils1
  libkrb5-3 libkrb5support0 libldap2 liblz4-1 liblzma5 libpam0g libpq5 libreadline8t64 libsasl2-2 libssl3t64
  libstdc++6 libsystemd0 libtinfo6 libxml2 libxxhash0 libzstd1 zlib1g"

fail() {
  echo "timescaledb.sh: $*" >&2
  exit 1
}

[ $# -eq 2 ] || fail "use: tools/timescaledb.sh start|stop|kill|restart FOLDER"
command=$1
folder=$(realpath -m "$2")

. "$(dirname "$0")/debian-packages.sh"

if [ "$(id -u)" -eq 0 ]; then
  # PostgreSQL refuses to run as root.
  user=nobody
  if id postgres >/dev/null 2>&1; then user=postgres; fi
else
  user=$(id -un)
fi
home=$(cache_folder)/timescaledb-17
tree=$home/tree
libs=$tree/usr/lib/x86_64-linux-gnu
loader=$tree/usr/lib64/ld-linux-x86-64.so.2
programs=$tree/usr/lib/postgresql/17/bin

# Runs a program as the server's user, in an environment of its own.
as_user() {
  if [ "$(id -un)" = "$user" ]; then
    (cd / && env -i LC_ALL=C PATH=/usr/bin:/bin "$@")
  else
    (cd / && setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups env -i LC_ALL=C PATH=/usr/bin:/bin "$@")
  fi
}

download() {
  [ -e "$home/packages/.complete" ] && return
  # The names of the packages are words.
  # shellcheck disable=SC2086
  download_packages trixie "$home/packages" $packages $libraries
  touch "$home/packages/.complete"
}

unpack() {
  [ -e "$tree/.complete" ] && return
  rm -rf "$tree"
  mkdir -p "$tree/usr/lib" "$tree/usr/lib64"
  ln -s usr/lib "$tree/lib"
  ln -s usr/lib64 "$tree/lib64"
  for package in "$home"/packages/*.deb; do dpkg -x "$package" "$tree" || fail "$package cannot be unpacked"; done
  # Written into the programs, because initdb starts postgres by itself and would not pass a loader on.
  for program in postgres initdb pg_ctl; do
    "$loader" --library-path "$libs" "$tree/usr/bin/patchelf" --set-interpreter "$loader" --force-rpath \
      --set-rpath "$libs" "$programs/$program"
    missing=$("$loader" --list "$programs/$program" | grep "not found") && fail "$program lacks $missing"
  done
  touch "$tree/.complete"
}

start() {
  [ "$(uname -sm)" = "Linux x86_64" ] || fail "Debian's packages are fetched for Linux on x86-64 only"
  for needed in apt-get dpkg flock realpath setpriv; do
    command -v "$needed" >/dev/null || fail "$needed is needed"
  done
  mkdir -p "$home"
  # Two starts at once take turns at the cache.
  exec 9>"$home/lock"
  flock 9
  download
  unpack
  exec 9>&-
  [ ! -e "$folder/PG_VERSION" ] || fail "$folder is in use already"
  mkdir -p "$folder"
  [ "$(id -u)" -ne 0 ] || chown "$user" "$folder"
  as_user "$programs/initdb" -D "$folder" -U postgres -A trust -E UTF8 --locale-provider=builtin \
    --builtin-locale=C.UTF-8 --locale=C --no-sync >&2
  cat >>"$folder/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
jit = off
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
timezone = 'UTC'
CONF
  # A port may be taken: the next attempt takes another. Those under 32768 are not given to outgoing connections.
  for _ in 1 2 3 4 5; do
    port=$(shuf -i 20000-32000 -n 1)
    if as_user "$programs/pg_ctl" -s -D "$folder" -l "$folder/server.log" -o "-p $port" -w -t 30 start \
      </dev/null >&2; then
      echo "$port" >"$folder/port"
      echo "postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
  done
  tail -n 20 "$folder/server.log" >&2
  fail "the server did not start"
}

kill_all() {
  postmaster=$(head -n 1 "$folder/postmaster.pid") || fail "no server runs in $folder"
  children=$(cat "/proc/$postmaster/task/$postmaster/children")
  # The first one first: it would answer the death of a child by ending the others in order.
  for process in $postmaster $children; do kill -KILL "$process" 2>/dev/null || true; done
  for process in $postmaster $children; do
    while [ -d "/proc/$process" ] && ! grep -q "^State:.Z" "/proc/$process/status" 2>/dev/null; do sleep 0.05; done
  done
  # Where nobody waits for dead processes their ids look alive, and the server would not start.
  rm -f "$folder/postmaster.pid"
}

restart() {
  port=$(cat "$folder/port") || fail "no server was started in $folder"
  as_user "$programs/pg_ctl" -s -D "$folder" -l "$folder/server.log" -o "-p $port" -w -t 60 start </dev/null >&2 ||
    fail "the server did not start again: $(tail -n 3 "$folder/server.log")"
}

case $command in
  start) start ;;
  stop)
    [ ! -e "$folder/postmaster.pid" ] || as_user "$programs/pg_ctl" -s -D "$folder" -m immediate -w -t 30 stop
    ;;
  kill) kill_all ;;
  restart) restart ;;
  *) fail "use: tools/timescaledb.sh start|stop|kill|restart FOLDER" ;;
esac
