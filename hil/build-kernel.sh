#!/usr/bin/env bash
# build-kernel.sh FOLDER : makes FOLDER/linux-uml and FOLDER/v4l2loopback.ko from
# Debian's own sources, in about ten minutes on two cores. Debian 12 only; run.sh
# calls it when no kernel is found.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(readlink -m "${1:?build-kernel.sh FOLDER}")
loopback_version=0.13.2
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo

if ! command -v apt-get >/dev/null; then
  echo "hil: the kernel is built from Debian's packages linux-source-6.1 and v4l2loopback-dkms; there is no apt-get here." >&2
  echo "hil: build it on Debian 12 and name its folder in HIL_KERNEL" >&2
  exit 1
fi
echo "hil: building the guest's kernel; this takes about ten minutes, once"
$sudo apt-get update -q
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
  linux-source-6.1 build-essential flex bison bc libelf-dev libssl-dev xz-utils kmod

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xf /usr/src/linux-source-6.1.tar.xz -C "$work"
cd "$work/linux-source-6.1"

# Processors with AMX save more registers than this kernel makes room for.
sed -i -E 's/(HOST_FP_SIZE, )2696/\116384/' arch/x86/um/user-offsets.c
# ALSA is closed to User-Mode Linux by two lines around the whole menu.
sed -i -E '/^(if !UML|endif # !UML)$/d' sound/Kconfig

make -s ARCH=um defconfig
scripts/kconfig/merge_config.sh -m .config "$here/uml.config" >/dev/null
make -s ARCH=um olddefconfig
# Kconfig drops in silence what lacks something else.
grep '^CONFIG\|^# CONFIG_.* is not set' "$here/uml.config" | { ! grep -vxFf .config >&2; } ||
  { echo "hil: this kernel cannot be configured as hil/uml.config has it: see the lines above" >&2; exit 1; }
make -s ARCH=um -j"$(nproc)" linux modules

# The camera: Debian has the module's source in bookworm-backports. It is read from
# wherever this machine has its bookworm, and this machine's own lists stay as they are.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | sort -u | head -n 1)
mkdir -p "$work/lists/partial"
chmod 755 "$work" "$work/lists" # apt fetches as its own user
echo "deb ${mirror:-http://deb.debian.org/debian} bookworm-backports main" >"$work/backports.list"
backports() {
  (cd "$work" && apt-get -q -o Dir::Etc::sourcelist="$work/backports.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@")
}
backports update
backports download "v4l2loopback-dkms=$loopback_version*"
dpkg-deb -x "$work"/v4l2loopback-dkms_*.deb "$work/loopback"
make -s ARCH=um M="$work/loopback/usr/src/v4l2loopback-$loopback_version" modules

mkdir -p "$out"
strip -o "$out/linux-uml" linux
cp "$work/loopback/usr/src/v4l2loopback-$loopback_version/v4l2loopback.ko" "$out/"
echo "hil: the kernel is in $out"
