#!/usr/bin/env bash
# module.sh KERNEL FOLDER: v4l2loopback.ko for the image's kernel, cross-built
# against Debian's headers, unpacked and not installed.
set -euo pipefail
kernel=$1 to=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
mmdebstrap --quiet --arch=arm64 --variant=extract --include="linux-headers-$kernel" bookworm "$work/headers" "$mirror"
# The headers' own tools are arm64's; these run here.
mmdebstrap --quiet --arch=amd64 --variant=extract --include=linux-kbuild-6.1,v4l2loopback-dkms bookworm "$work/tools" "$mirror"
cp -r "$work"/tools/usr/src/v4l2loopback-* "$work/source"
mkdir -p "$work/lib"
cp -r "$work/tools/usr/lib/linux-kbuild-6.1" "$work/lib/"
unshare -m sh -ec "
  mount -t overlay overlay -o lowerdir=$work/lib:/usr/lib /usr/lib
  mount --bind $work/headers/usr/src /usr/src
  make -s -C /usr/src/linux-headers-$kernel ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- M=$work/source modules"
cp "$work/source/v4l2loopback.ko" "$to/"
