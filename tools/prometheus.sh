#!/bin/sh
# A real Prometheus and promtool for tests, without Docker and without installing anything: out of Debian 12's package,
# unpacked into a cache folder. It is a static program and runs on any Linux.
#
#   tools/prometheus.sh        downloads it where that has not happened, and prints the folder with both programs
#
# Needs Linux on x86-64 with apt-get, dpkg and Debian's archive keyring, as root or not. PENSTOCK_CACHE is the cache
# folder, DEBIAN_MIRROR an archive to use instead of those that apt is configured for.
set -eu
umask 022

fail() {
  echo "prometheus.sh: $*" >&2
  exit 1
}

if [ "$(id -u)" -eq 0 ]; then
  cache=${PENSTOCK_CACHE:-/var/cache/penstock}
else
  cache=${PENSTOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/penstock}
fi
home=$(realpath -m "$cache")/prometheus
programs=$home/tree/usr/bin

mirrors() {
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    echo "$DEBIAN_MIRROR"
  else
    apt-get --print-uris update 2>/dev/null |
      sed -n "s|^'\(.*\)/dists/[^/-]*/main/binary-[^/]*/Packages.*|\1|p" | sort -u
  fi
}

# apt-get with lists, sources and status of its own, so that the machine's are neither read nor touched.
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$lists/sources" -o Dir::Etc::SourceParts="$lists/none" \
    -o Dir::Etc::PreferencesParts="$lists/none" -o Dir::State="$lists" -o Dir::State::Status="$lists/status" \
    -o Dir::Cache="$lists" -o APT::Sandbox::User=root -o APT::Architecture=amd64 -o Acquire::Languages=none \
    -o Acquire::Retries=3 -o APT::Update::Error-Mode=any "$@"
}

download() {
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$keyring" ] || fail "Debian's archive keyring is not there ($keyring)"
  lists=$home/apt
  rm -rf "$home"
  mkdir -p "$lists/lists/partial" "$lists/archives/partial" "$lists/none" "$home/packages"
  : >"$lists/status"
  for mirror in $(mirrors); do
    echo "deb [signed-by=$keyring] $mirror bookworm main" >"$lists/sources"
    if apt update >&2 && (cd "$home/packages" && apt download prometheus >&2); then
      dpkg -x "$home"/packages/prometheus_*.deb "$home/unpacked"
      mv "$home/unpacked" "$home/tree"
      rm -rf "$lists" "$home/packages"
      return
    fi
  done
  fail "no archive that apt is configured for serves Debian 12's prometheus; name one with DEBIAN_MIRROR"
}

[ -x "$programs/promtool" ] || download
echo "$programs"
