#!/usr/bin/env bash
# Installs what is in build/package as its user would and goes through the first minutes: the .deb and the tarball, each in a bare Debian
# 12 without a compiler (as root; debootstrap makes it once, in build/package-work/bare), else unpacked into a scratch folder of this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$PWD/build/package-work
deb=$(ls build/package/bowerbird_*.deb)
tarball=$(ls build/package/bowerbird-*-linux-*.tar.gz)
input=$work/input
failures=0

check() { # WHAT COMMAND...
  local what=$1 begin=$SECONDS
  shift
  if "$@" >"$work/last.log" 2>&1; then
    echo "ok      $what ($((SECONDS - begin)) s)"
  else
    echo "FAILED  $what"
    sed 's/^/    /' "$work/last.log" | tail -20
    failures=$((failures + 1))
  fi
}

# A table that a shop would have, a Parquet file, MovieLens where it is there.
make_input() {
  rm -rf "$input"
  mkdir -p "$input"
  python3 - "$input/shop.csv" <<'PY'
import random, sys
random.seed(1)
with open(sys.argv[1], "w") as file:
    file.write("visitorid,timestamp,event,itemid,name,category,price\n")
    for row in range(60000):
        visitor, taste = random.randrange(1500), 0
        taste = visitor % 10
        item = (taste * 60 + int(60 * random.random() ** 2)) if random.random() < .8 else random.randrange(600)
        event = random.choices(["view", "addtocart", "transaction"], [90, 7, 3])[0]
        file.write(f"v{visitor},{1700000000 + row},{event},p{item},Article number {item},Category {item // 60},{5 + item % 40}\n")
PY
  build/venv/bin/python - "$input/items.parquet" <<'PY'
import sys, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({"id": [f"p{i}" for i in range(50)], "title": [f"Title {i}" for i in range(50)]}), sys.argv[1], compression="zstd")
PY
  [ ! -d ../shared/data/ml-latest-small_2016 ] || cp -r ../shared/data/ml-latest-small_2016 "$input/movielens"
}

# The answer of `playground --headless --json` is whole, and came in time.
good_page() { # FILE
  python3 - "$1" <<'PY'
import json, sys
page = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert len(page["page"]) == 10, page
assert all(item["title"] and item["reason"] for item in page["page"]), page["page"]
assert page["rejected"] == 0, page["rejected"]
assert page["seconds"]["total"] <= 60, page["seconds"]
print({key: page[key] for key in ("source", "events", "users", "items", "seconds")})
PY
}

# within PREFIX-COMMAND...: what a user does first. IN is a folder that both sides see: INSIDE within, $input here.
first_minutes() { # NAME INSIDE RUN...
  local name=$1 inside=$2
  shift 2
  check "$name: version" "$@" bowerbird --version
  check "$name: help" "$@" bowerbird help playground
  check "$name: a simulated world" "$@" sh -c "bowerbird playground --headless --json >$inside/world.json"
  check "$name: and its page is whole" good_page "$input/world.json"
  cat "$work/last.log"
  check "$name: a shop's CSV" "$@" sh -c "bowerbird playground --csv $inside/shop.csv --headless --json >$inside/shop.json"
  check "$name: and its page is whole" good_page "$input/shop.json"
  cat "$work/last.log"
  if [ -d "$input/movielens" ]; then
    check "$name: MovieLens" "$@" sh -c "bowerbird playground --movielens $inside/movielens --headless --json >$inside/movielens.json"
    check "$name: and its page is whole" good_page "$input/movielens.json"
    cat "$work/last.log"
  else
    echo "skipped $name: MovieLens (../shared/data/ml-latest-small_2016 is not there)"
  fi
  local preset
  for preset in shop articles pins; do
    check "$name: init --preset $preset" "$@" sh -ec "rm -rf $inside/$preset; bowerbird init --preset $preset $inside/$preset; bowerbird config check --dir $inside/$preset"
  done
  check "$name: Parquet, by the plugin" "$@" sh -ec "rm -rf $inside/parquet; bowerbird import parquet $inside/items.parquet --kind items --dir $inside/parquet | grep '50 accepted'"
}

in_bare() { tools/bare_debian.sh in "$root" "$@"; }

bare_root() { # NAME: a fresh copy of the bare Debian, with the input in it
  root=$work/try-$1
  rm -rf "$root"
  cp -a "$work/bare" "$root"
  mkdir -p "$root/input"
  cp -r "$input/." "$root/input/"
}

try_in_bare_debian() {
  tools/bare_debian.sh make "$work/bare"
  bare_root deb
  local kept=$input
  input=$root/input
  cp "$deb" "$root/input/bowerbird.deb"
  check "deb: no compiler" in_bare sh -c '! command -v cc && ! command -v g++ && ! command -v clang'
  check "deb: apt-get install" in_bare sh -ec 'apt-get update -qq; apt-get install -y -qq --no-install-recommends /input/bowerbird.deb'
  first_minutes deb /input in_bare
  check "deb: user, folder and file of the service" in_bare sh -ec '
    id bowerbird; test "$(stat -c %U:%a /var/lib/bowerbird)" = bowerbird:750
    test -f /etc/bowerbird/server.toml; bowerbird config check /etc/bowerbird/server.toml
    su -s /bin/sh bowerbird -c "bowerbird init /var/lib/bowerbird && bowerbird config check --dir /var/lib/bowerbird"'
  check "deb: its files are whole" in_bare dpkg --verify bowerbird
  check "deb: purge leaves the data" in_bare sh -ec 'dpkg --purge bowerbird; test -d /var/lib/bowerbird/apps; test ! -e /usr/bin/bowerbird; test ! -e /etc/bowerbird/server.toml'
  input=$kept
  bare_root tarball
  input=$root/input
  tar -C "$root/opt" -xzf "$tarball"
  ln -s "/opt/$(basename "$tarball" .tar.gz)/bin/bowerbird" "$root/usr/local/bin/bowerbird"
  check "tarball: nothing of ours is missing" in_bare sh -c '! ldd "$(readlink -f /usr/local/bin/bowerbird)" | grep "not found"'
  first_minutes tarball /input in_bare
  input=$kept
  rm -rf "$work/try-deb" "$work/try-tarball"
}

try_unpacked() {
  echo "no root: the packages are unpacked and run on this machine, which has what they depend on"
  rm -rf "$work/unpacked"
  mkdir -p "$work/unpacked/tarball"
  dpkg-deb -x "$deb" "$work/unpacked/deb"
  tar -C "$work/unpacked/tarball" --strip-components=1 -xzf "$tarball"
  first_minutes deb "$input" env PATH="$work/unpacked/deb/usr/bin:$PATH"
  first_minutes tarball "$input" env PATH="$work/unpacked/tarball/bin:$PATH"
}

mkdir -p "$work"
make_input
ls -l "$deb" "$tarball" | awk '{printf "%s  %.1f MB\n", $9, $5 / 1e6}'
if command -v systemd-analyze >/dev/null; then
  # The program itself is not installed here: only that is let pass.
  check "unit: systemd-analyze verify" sh -c "! systemd-analyze verify --man=no deploy/bowerbird.service 2>&1 | grep bowerbird.service | grep -v 'is not executable'"
fi
if [ "$(id -u)" = 0 ] && { command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; }; then
  try_in_bare_debian
else
  try_unpacked
fi
[ $failures = 0 ] && echo "all packages do what they promise" || { echo "$failures checks failed"; exit 1; }
