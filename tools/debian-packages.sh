# Debian's packages for the scripts beside this one, which source it: downloaded into a folder of their own, without
# touching the machine's lists, sources or installed packages. Needs apt-get, dpkg and Debian's archive keyring.

# The cache folder that root and others have, or PENSTOCK_CACHE.
cache_folder() {
  if [ "$(id -u)" -eq 0 ]; then
    realpath -m "${PENSTOCK_CACHE:-/var/cache/penstock}"
  else
    realpath -m "${PENSTOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/penstock}"
  fi
}

# The archives that apt is configured for, one a line, or DEBIAN_MIRROR.
mirrors() {
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    echo "$DEBIAN_MIRROR"
  else
    apt-get --print-uris update 2>/dev/null |
      sed -n "s|^'\(.*\)/dists/[^/-]*/main/binary-[^/]*/Packages.*|\1|p" | sort -u
  fi
}

# apt-get with lists, sources and status of its own, which are in $lists.
own_apt() {
  apt-get -qq -o Dir::Etc::SourceList="$lists/sources" -o Dir::Etc::SourceParts="$lists/none" \
    -o Dir::Etc::PreferencesParts="$lists/none" -o Dir::State="$lists" -o Dir::State::Status="$lists/status" \
    -o Dir::Cache="$lists" -o APT::Sandbox::User=root -o APT::Architecture=amd64 -o Acquire::Languages=none \
    -o Acquire::Retries=3 -o APT::Update::Error-Mode=any "$@"
}

# download_packages RELEASE FOLDER PACKAGE...: fetches the packages of a release of Debian into FOLDER, which is emptied
# first, from the first archive that has them; fails with a sentence when none has.
download_packages() {
  release=$1 folder_of_packages=$2
  shift 2
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$keyring" ] || fail "Debian's archive keyring is not there ($keyring)"
  lists=$(mktemp -d)
  rm -rf "$folder_of_packages"
  mkdir -p "$lists/lists/partial" "$lists/archives/partial" "$lists/none" "$folder_of_packages"
  : >"$lists/status"
  for mirror in $(mirrors); do
    echo "deb [signed-by=$keyring] $mirror $release main" >"$lists/sources"
    if own_apt update >&2 && (cd "$folder_of_packages" && own_apt download "$@" >&2); then
      rm -rf "$lists"
      return
    fi
  done
  rm -rf "$lists"
  fail "no archive that apt is configured for serves $release's $*; name one with DEBIAN_MIRROR"
}
