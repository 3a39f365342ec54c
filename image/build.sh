#!/usr/bin/env bash
# build.sh [VERSION]: the flashable image and the bundle that updates to it, in
# out/image. Debian 12 for arm64, put together on Debian 12 for amd64, as root
# (programs of arm64 run through qemu-user, and files have their owners).
#
#   UPDATE_CERT, UPDATE_KEY   PEM files that sign bundles; without them a pair for
#                             trials is made in .cache/image/keys, which is no secret
#   ROOT_EXTRA                a folder laid over the root at the end, for tests
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")
cache=$repo/.cache/image
out=$repo/out/image
began=$SECONDS
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
[ "$(id -u)" = 0 ] || exec sudo -E "$0" "$@"
cd "$repo"
.ci/need mmdebstrap qemu-user-static binfmt-support genimage dosfstools mtools e2fsprogs u-boot-tools device-tree-compiler squashfs-tools rauc cpio kmod systemd openssl
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
version=${1:-$(TZ=UTC git log -1 --date=format-local:%Y%m%d.%H%M%S --format=%cd.%h)}
[[ $version =~ ^[0-9]{8}\.[0-9]{6}\.[0-9a-z]+$ ]] || { echo "image: the version is DATE.TIME.WORD in UTC, as in 20261122.031500.1b489ee: devices compare the first two" >&2; exit 1; }
mkdir -p "$cache" "$out"
work=$(mktemp -d "$cache/work.XXXX")
trap 'rm -rf "$work"' EXIT
say() { printf '== %s (%d s)\n' "$1" $((SECONDS - began)); }

# Debian's part, kept between builds: root.tar and what boots.
packages=$(grep -v '^#' "$here/packages.txt" | paste -sd,)
if [ "$packages" != "$(cat "$cache/packages" 2>/dev/null)" ]; then
  say "Debian for arm64"
  mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  update-binfmts --enable qemu-aarch64 2>/dev/null || true
  mmdebstrap --quiet --arch=arm64 --variant=minbase --components=main,non-free-firmware --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    bookworm "$cache/root.tar" "$mirror"
  # Unpacked only: what their scripts do under emulation takes many minutes.
  rm -rf "$cache/parts"
  mmdebstrap --quiet --arch=arm64 --variant=extract --components=main,non-free-firmware \
    --include=linux-image-arm64,u-boot-rpi,raspi-firmware,busybox-static bookworm "$cache/parts" "$mirror"
  echo "$packages" >"$cache/packages"
fi
parts=$cache/parts
kernel=$(basename "$parts"/lib/modules/*)

say "the kiosk"
image/packages/build.sh -o "$work/deb" arm64 >/dev/null
CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -buildvcs=auto -ldflags "-s -w -buildid=" -o "$work/machine" ./cmd/machine

say "the root"
root=$work/root
mkdir "$root"
tar -xf "$cache/root.tar" -C "$root"
dpkg-deb -x "$work"/deb/munjigi-kiosk_*_arm64.deb "$root"
cp -a "$here/root/." "$root/"
chown -R 0:0 "$root/etc/rauc" "$root/etc/fstab" "$root/usr/lib/munjigi"
install -m 755 "$work/machine" "$root/usr/lib/munjigi/machine"
echo "$version" >"$root/etc/munjigi-version"
echo munjigi >"$root/etc/hostname"
printf '127.0.0.1 localhost munjigi\n::1 localhost\n' >"$root/etc/hosts"
ln -sfn /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
ln -sfn /usr/share/zoneinfo/Asia/Seoul "$root/etc/localtime"
ln -sfn /boot/munjigi/kiosk.toml "$root/etc/munjigi/kiosk.toml"
: >"$root/etc/machine-id"
sed -i 's/GID/961/' "$root/etc/fstab"
# tmpfiles.d would change the owner of the card's file, which cannot be.
sed -i '/^z /d' "$root/usr/lib/tmpfiles.d/munjigi.conf"
mkdir -p "$root/data" "$root/boot"
systemd-sysusers --root="$root"
chown 0:961 "$root/etc/munjigi"
systemctl --root="$root" --quiet preset-all 2>/dev/null || true
systemctl --root="$root" --quiet enable systemd-networkd systemd-resolved systemd-timesyncd systemd-pstore \
  munjigi-setup munjigi-kiosk munjigi-confirm munjigi-update.timer munjigi-wifi 2>/dev/null
systemctl --root="$root" --quiet mask getty.target getty@.service serial-getty@.service systemd-firstboot.service \
  systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  wpa_supplicant.service systemd-machine-id-commit.service 2>/dev/null
# What only installs packages, and translations of nothing we say.
rm -rf "$root"/var/cache/* "$root"/var/lib/apt "$root"/var/log/* "$root"/usr/share/{doc,man,info,locale,perl,perl5,lintian,bash-completion,i18n} \
  "$root"/usr/lib/aarch64-linux-gnu/{perl,perl-base,libperl*} "$root"/usr/bin/perl* "$root"/usr/lib/apt "$root"/usr/bin/apt* \
  "$root"/usr/lib/aarch64-linux-gnu/{gconv,libapt*} "$root"/usr/lib/udev/hwdb.d "$root"/etc/apt "$root"/tmp/* "$root"/usr/lib/libc6

say "kernel $kernel"
# --show-depends knows what a module needs.
mkdir -p "$root/lib/modules/$kernel"
cp "$parts/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$kernel/"
depmod -b "$parts" "$kernel"
grep -v '^#' "$here/modules.txt" | while read -r path; do
  [ -e "$parts/lib/modules/$kernel/kernel/$path" ] && find "$parts/lib/modules/$kernel/kernel/$path" -name '*.ko' -printf '%f\n'
done | sed 's/\.ko$//' >"$work/names"
xargs -a "$work/names" modprobe -d "$parts" -S "$kernel" --show-depends -a 2>/dev/null | sed -n "s|^insmod $parts/\([^ ]*\).*|\1|p" | sort -u >"$work/modules"
(cd "$parts" && cpio -pdm --quiet "$root" <"$work/modules")
depmod -b "$root" "$kernel"
mkdir -p "$root/usr/lib/firmware/overlays"
cp "$parts/boot/vmlinuz-$kernel" "$root/boot/vmlinuz"

ram=$work/ram
mkdir -p "$ram"/{bin,proc,sys,dev,root,lib/modules/"$kernel"}
cp "$parts/bin/busybox" "$ram/bin/"
install -m 755 "$here/initramfs/init" "$ram/init"
echo 6d6a6b31 >"$ram/signature"
cp "$root/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$ram/lib/modules/$kernel/"
grep -E '/(drivers/(block/virtio|clk|dma|firmware|gpio|mmc|mailbox|regulator|soc|reset|virtio|phy|pci|thermal)|fs/ext4|fs/jbd2|fs/mbcache|crypto/crc|lib/crc|arch/arm64/crypto/crc)' "$work/modules" >"$work/early"
(cd "$root" && cpio -pdm --quiet "$ram" <"$work/early")
depmod -b "$ram" "$kernel"
(cd "$ram" && find . -exec touch -hd "@$SOURCE_DATE_EPOCH" {} + && find . | sort | cpio -o -H newc -R 0:0 --quiet --reproducible) | zstd -q -15 >"$root/boot/initrd.img"

keys=$cache/keys
if [ -z "${UPDATE_KEY:-}" ]; then
  if [ ! -f "$keys/key.pem" ]; then
    mkdir -p "$keys"
    # No Ed25519: RAUC 1.8 cannot sign with it.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7300 -subj '/O=Munjigi/CN=bundles for trials' \
      -keyout "$keys/key.pem" -out "$keys/cert.pem" 2>/dev/null
  fi
  UPDATE_KEY=$keys/key.pem UPDATE_CERT=$keys/cert.pem
fi
cp "$UPDATE_CERT" "$root/etc/rauc/keyring.pem"
[ -z "${ROOT_EXTRA:-}" ] || cp -a "$ROOT_EXTRA/." "$root/"
find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +

say "the partitions"
truncate -s 448M "$work/root.ext4"
mkfs.ext4 -q -d "$root" -L root -U 6d6a6b31-0000-4000-8000-000000000001 -E hash_seed=6d6a6b31-0000-4000-8000-000000000002 \
  -O '^has_journal,^metadata_csum_seed,^orphan_file' -m 0 "$work/root.ext4"
tree=$work/tree
mkdir -p "$tree/boot/munjigi" "$tree/boot/overlays" "$tree/data/munjigi" "$tree/data/timesync" "$tree/data/rauc" "$tree/data/update"
chown 961:961 "$tree/data/munjigi"
chmod 700 "$tree"/data/*
cp "$parts"/usr/lib/raspi-firmware/{bootcode.bin,start.elf,fixup.dat,start4.elf,fixup4.dat} "$here/boot/config.txt" "$tree/boot/"
cp "$parts/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$tree/boot/"
cp "$parts/usr/lib/linux-image-$kernel"/broadcom/{bcm2837-rpi-3-b.dtb,bcm2837-rpi-3-b-plus.dtb,bcm2837-rpi-3-a-plus.dtb,bcm2837-rpi-zero-2-w.dtb,bcm2711-rpi-4-b.dtb} "$tree/boot/"
dtc -q -@ -I dts -O dtb -o "$tree/boot/overlays/ds3231.dtbo" "$here/boot/ds3231.dts"
mkimage -A arm64 -O linux -T script -C none -n munjigi -d "$here/boot/boot.cmd" "$tree/boot/boot.scr" >/dev/null
cp configs/kiosk.toml configs/device.toml "$tree/boot/munjigi/"
cp "$here/boot/README.txt" "$tree/boot/munjigi/"
truncate -s 4096 "$work/state.bin"
mkdir "$work/input"
truncate -s 512M "$work/input/data.ext4"
mkfs.ext4 -q -d "$tree/data" -L data -U 6d6a6b31-0000-4000-8000-000000000004 -E hash_seed=6d6a6b31-0000-4000-8000-000000000003 \
  -O '^metadata_csum_seed,^orphan_file' "$work/input/data.ext4"
find "$tree" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +

say "image and bundle"
mkdir -p "$work/images" "$work/gi"
cp --reflink=auto --sparse=always "$work/root.ext4" "$work/input/root.ext4"
cp "$work/state.bin" "$work/input/"
genimage --config "$here/genimage.cfg" --rootpath "$tree" --inputpath "$work/input" --outputpath "$work/images" --tmppath "$work/gi" >"$work/genimage.log" 2>&1 ||
  { cat "$work/genimage.log" >&2; exit 1; }
mkdir "$work/bundle"
mv "$work/root.ext4" "$work/bundle/root.img"
cat >"$work/bundle/manifest.raucm" <<END
[update]
compatible=munjigi-arm64
version=$version

[bundle]
format=verity

[image.root]
filename=root.img
END
rm -f "$out/munjigi.raucb"
rauc bundle --cert="$UPDATE_CERT" --key="$UPDATE_KEY" "$work/bundle" "$out/munjigi.raucb" >/dev/null 2>"$work/rauc.log" || { cat "$work/rauc.log" >&2; exit 1; }
cp --sparse=always "$work/images/munjigi.img" "$out/munjigi.img"
xz -T2 -1 -kf "$out/munjigi.img"
(cd "$root" && du -sm --apparent-size . | cut -f1) >"$out/root-size"
du -m --apparent-size "$out/munjigi.img.xz" | cut -f1 >"$out/size"
{
  echo "version $version, kernel $kernel"
  chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' 2>/dev/null || true
} >"$out/contents.txt"
(cd "$out" && sha256sum munjigi.img munjigi.img.xz munjigi.raucb >SHA256SUMS)
say "done: $(cat "$out/size") MB to flash (xz), root $(cat "$out/root-size") MB, bundle $(du -m --apparent-size "$out/munjigi.raucb" | cut -f1) MB"
