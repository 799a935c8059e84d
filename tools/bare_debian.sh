#!/usr/bin/env bash
# A bare Debian in a folder, for packages to be tried in and an image to be made from. As root, with debootstrap.
#   tools/bare_debian.sh make ROOT         a minimal Debian 12 with this machine's package sources; quick when it is there
#   tools/bare_debian.sh in ROOT CMD...    CMD within it, with its own /proc and this machine's /dev, in a mount namespace that goes with it
#   tools/bare_debian.sh clean ROOT        takes this machine's settings and the caches out again
set -euo pipefail
settings="/etc/resolv.conf /etc/hosts /etc/apt/apt.conf.d /etc/apt/sources.list.d /etc/ssl/certs/ca-certificates.crt"

make() { # ROOT
  local mirror
  mirror=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true; } | grep -E '^(URIs:|deb )' | grep -oE 'https?://[^ ]+' | head -1)
  if [ ! -f "$1/.ready" ]; then
    rm -rf "$1"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$1" "${mirror:-http://deb.debian.org/debian}" >"$1.log" || { tail -20 "$1.log" >&2; return 1; }
    ls /etc/apt/sources.list.d/*.sources >/dev/null 2>&1 && : >"$1/etc/apt/sources.list"  # this machine's take its place
    touch "$1/.ready"
  fi
  local setting
  for setting in $settings; do
    [ -e "$setting" ] || continue
    mkdir -p "$1$(dirname "$setting")"
    cp -rL --remove-destination "$setting" "$1$(dirname "$setting")/"
  done
}

run_in() { # ROOT CMD...
  local root=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --pid --fork sh -c 'root=$1; shift
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount -t tmpfs tmpfs "$root/dev/shm" 2>/dev/null
    exec chroot "$root" "$@"' sh "$root" \
    /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    $(env | grep -iE '^(https?_proxy|no_proxy|ssl_cert_file)=' || true) "$@"
}

clean() { # ROOT
  rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/cache/debconf/*-old "$1"/var/log/* "$1"/tmp/* "$1/.ready" \
    "$1"/etc/apt/apt.conf.d "$1"/etc/apt/sources.list.d "$1"/usr/local/share/ca-certificates "$1"/etc/ssl/certs "$1"/etc/resolv.conf "$1"/etc/hosts
  mkdir -p "$1/etc/apt/apt.conf.d" "$1/etc/apt/sources.list.d"
  printf 'deb http://deb.debian.org/debian bookworm main\ndeb http://deb.debian.org/debian bookworm-updates main\ndeb http://deb.debian.org/debian-security bookworm-security main\n' >"$1/etc/apt/sources.list"
  find "$1/usr/share/doc" -type f ! -name 'copyright' ! -path '*/bowerbird/*' -delete
  rm -rf "$1"/usr/share/man/* "$1"/usr/share/info/* "$1"/usr/share/locale/*
}

case ${1:-} in
  make) make "$2" ;;
  in) shift; run_in "$@" ;;
  clean) clean "$2" ;;
  *) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac
