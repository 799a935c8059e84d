#!/usr/bin/env bash
# What deploy/Containerfile says, without a container tool: a bare Debian, the package, one layer, in the form that `docker load` and
# `podman load` read. As root. usage: tools/image_without_docker.sh DEB NAME:TAG WORK OUTPUT.tar.gz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deb=$1 name=$2 work=$3 output=$4
[ "$(id -u)" = 0 ] || { echo "an image without docker or podman needs root (debootstrap, chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
mkdir -p "$work"
tools/bare_debian.sh make "$work/base"
rm -rf "$work/root" "$work/archive"
cp -a "$work/base" "$work/root"
cp "$deb" "$work/root/tmp/"
tools/bare_debian.sh in "$work/root" sh -ec "
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends /tmp/$(basename "$deb") >/dev/null
  su -s /bin/sh bowerbird -c 'bowerbird init /var/lib/bowerbird'
" >&2
tools/bare_debian.sh in "$work/root" dpkg --purge ca-certificates >/dev/null 2>&1  # they came with the bare Debian, for apt
tools/bare_debian.sh clean "$work/root"
mkdir -p "$work/archive"
tar -C "$work/root" --sort=name --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf "$work/archive/layer.tar" .
python3 - "$work/archive" "$name" "${SOURCE_DATE_EPOCH:-0}" <<'PY'
import datetime, hashlib, json, os, platform, sys
folder, name, epoch = sys.argv[1], sys.argv[2], int(sys.argv[3])
def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
config = {
    "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()), "os": "linux", "created": created,
    "config": {"User": "bowerbird", "WorkingDir": "/var/lib/bowerbird", "Volumes": {"/var/lib/bowerbird": {}}, "ExposedPorts": {"8080/tcp": {}},
               "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
               "Entrypoint": ["bowerbird"], "Cmd": ["serve", "--dir", "/var/lib/bowerbird", "--listen", "0.0.0.0"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(os.path.join(folder, "layer.tar"))]},
    "history": [{"created": created, "created_by": "deploy/Containerfile"}],
}
text = json.dumps(config, sort_keys=True)
config_name = hashlib.sha256(text.encode()).hexdigest() + ".json"
open(os.path.join(folder, config_name), "w").write(text)
json.dump([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}], open(os.path.join(folder, "manifest.json"), "w"))
PY
tar -C "$work/archive" --sort=name --owner=0 --group=0 --mtime="@${SOURCE_DATE_EPOCH:-0}" -c . | gzip -9n >"$output"
rm -rf "$work/root" "$work/archive"
