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

. "$(dirname "$0")/debian-packages.sh"

home=$(cache_folder)/prometheus
programs=$home/tree/usr/bin

download() {
  rm -rf "$home"
  download_packages bookworm "$home/packages" prometheus
  dpkg -x "$home"/packages/prometheus_*.deb "$home/unpacked"
  mv "$home/unpacked" "$home/tree"
  rm -rf "$home/packages"
}

[ -x "$programs/promtool" ] || download
echo "$programs"
