#!/usr/bin/env bash
# Makes packages of a build that is there. usage: tools/package.sh PRESET [deb | tarball | image]...
# Left in build/package: bowerbird_VERSION_ARCH.deb, bowerbird-VERSION-linux-MACHINE.tar.gz, bowerbird-VERSION-image.tar.gz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=$1
shift
out=$PWD/build/package
work=$PWD/build/package-work
version=$(sed -nE 's/^project\(bowerbird VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
architecture=$(dpkg --print-architecture)
machine=$(uname -m)
deb=$out/bowerbird_${version}_$architecture.deb
tarball=$out/bowerbird-$version-linux-$machine.tar.gz
image=$out/bowerbird-$version-image.tar.gz
image_bytes_max=200000000
pyarrow=$(echo build/venv/lib/python3*/site-packages/pyarrow)
# The same commit gives the same packages.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
mkdir -p "$out" "$work"

# The programs and the plugins with the libraries of Arrow and DuckDB that they need, stripped, into PREFIX.
stage() { # PREFIX
  rm -rf "$1"
  cmake --install "build/$preset" --prefix "$1" --strip >/dev/null
  local name
  for name in arrow parquet arrow_s3; do
    install -m 644 "$(ls "$pyarrow"/lib$name.so.[0-9]* | head -1)" "$1/lib/bowerbird/"
  done
  [ ! -f build/duckdb/libduckdb.so ] || install -m 644 build/duckdb/libduckdb.so "$1/lib/bowerbird/"
  strip --strip-unneeded "$1"/lib/bowerbird/*
}

notices() { # FOLDER: the licences of what is carried beside our own
  install -m 644 LICENSE "$1/LICENSE"
  local licences
  licences=$(find "$(dirname "$pyarrow")" -path '*pyarrow-*.dist-info*' -name 'LICENSE*' | head -1)
  install -m 644 "$licences" "$1/LICENSE.arrow"
  licences=$(find "$(dirname "$pyarrow")" -path '*pyarrow-*.dist-info*' -name 'NOTICE*' | head -1)
  [ -z "$licences" ] || install -m 644 "$licences" "$1/NOTICE.arrow"
  [ ! -f build/duckdb/LICENSE ] || install -m 644 build/duckdb/LICENSE "$1/LICENSE.duckdb"
}

make_deb() {
  local root=$work/stage-deb
  stage "$root/usr"
  install -d "$root/etc/bowerbird" "$root/lib/systemd/system" "$root/usr/share/doc/bowerbird" "$root/DEBIAN"
  install -m 644 deploy/server.toml "$root/etc/bowerbird/server.toml"
  install -m 644 deploy/bowerbird.service "$root/lib/systemd/system/bowerbird.service"
  notices "$root/usr/share/doc/bowerbird"
  printf 'Bowerbird is under the Apache License 2.0, /usr/share/common-licenses/Apache-2.0.\nIt carries Apache Arrow: LICENSE.arrow, NOTICE.arrow, and DuckDB: LICENSE.duckdb.\n' \
    >"$root/usr/share/doc/bowerbird/copyright"
  gzip -9n <CHANGELOG.md >"$root/usr/share/doc/bowerbird/changelog.gz"
  install -m 755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$root/DEBIAN/"
  echo /etc/bowerbird/server.toml >"$root/DEBIAN/conffiles"

  # The distribution's libraries that it is linked with, by the tool that knows their packages.
  mkdir -p "$work/shlibs/debian"
  printf 'Source: bowerbird\n\nPackage: bowerbird\nArchitecture: any\n' >"$work/shlibs/debian/control"
  local depends
  depends=$(cd "$work/shlibs" && dpkg-shlibdeps -O --ignore-missing-info -l"$root/usr/lib/bowerbird" -S"$root" \
    -e"$root/usr/bin/bowerbird" $(printf -- '-e%s ' "$root"/usr/lib/bowerbird/*) 2>"$work/shlibs/notes" |
    sed -n 's/^shlibs:Depends=//p')
  [ -n "$depends" ] || { cat "$work/shlibs/notes" >&2; return 1; }
  cat >"$root/DEBIAN/control" <<TXT
Package: bowerbird
Version: $version
Architecture: $architecture
Maintainer: Bowerbird developers <bowerbird@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: adduser, $depends
Section: net
Priority: optional
Description: personalization and discovery engine
 Events and a catalog in; a home feed, related items and an understanding of
 every user out, each answer made afresh, with its reason, in a log from which
 it can be explained and run again. Start with: bowerbird playground
TXT
  (cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | sort | xargs -d '\n' md5sum >DEBIAN/md5sums)
  dpkg-deb --root-owner-group -Zxz -b "$root" "$deb" >/dev/null
  say "$deb"
}

make_tarball() {
  local name=bowerbird-$version-linux-$machine
  local root=$work/$name
  stage "$root"
  mkdir -p "$root/licenses"
  notices "$root/licenses"
  # Everything that is linked, but for the C and C++ run time that every system has in its own version.
  local library package
  LD_LIBRARY_PATH=$root/lib/bowerbird ldd "$root/bin/bowerbird" "$root"/lib/bowerbird/{libbowerbird_*.so,bowerbird-sql} | awk '$2 == "=>" && $3 ~ /^\// {print $3}' |
    sort -u | grep -vE "^$root|/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|stdc\+\+|gcc_s))\.so" | while read -r library; do
    install -m 644 "$library" "$root/lib/bowerbird/$(basename "$library")"
    # With a merged /usr a package may still know its file by the path without it.
    library=$(readlink -f "$library")
    package=$({ dpkg -S "$library" 2>/dev/null || dpkg -S "${library#/usr}"; } | head -1 | cut -d: -f1)
    install -m 644 "/usr/share/doc/$package/copyright" "$root/licenses/$package"
  done
  install -m 644 deploy/README.md "$root/README.md"
  install -m 644 deploy/bowerbird.service deploy/server.toml "$root/"
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n >"$tarball"
  say "$tarball"
}

make_image() {
  [ -f "$deb" ] || make_deb
  local tool
  for tool in docker podman; do
    if command -v $tool >/dev/null && $tool info >/dev/null 2>&1; then
      $tool build -q -f deploy/Containerfile -t "bowerbird:$version" "$out" >/dev/null
      $tool save "bowerbird:$version" | gzip -9n >"$image"
      say "$image"
      return
    fi
  done
  echo "no running docker or podman: the same image from debootstrap" >&2
  tools/image_without_docker.sh "$deb" "bowerbird:$version" "$work/image" "$image"
  say "$image"
}

say() { # FILE
  printf '%s  %s MB\n' "${1#"$PWD"/}" "$(awk -v bytes="$(stat -c %s "$1")" 'BEGIN {printf "%.1f", bytes / 1e6}')"
}

for kind in "${@:-deb}"; do
  case $kind in
    deb) make_deb ;;
    tarball) make_tarball ;;
    image)
      make_image
      [ "$(stat -c %s "$image")" -le $image_bytes_max ] || { echo "$image is over $image_bytes_max bytes" >&2; exit 1; }
      ;;
    *) echo "unknown kind of package '$kind'; expected deb, tarball or image" >&2; exit 2 ;;
  esac
done
