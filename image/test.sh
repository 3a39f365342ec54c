#!/usr/bin/env bash
# test.sh [CUTS]: boots out/image/munjigi.img under QEMU (arm64, -M virt) as it is, but
# for the files on its FAT partition: to the idle scene, an enrolment, and a pass
# from the camera's node. Then, by PHASES (default "updates damage cuts"):
#
#   updates  bundles that are refused, one from a server over HTTPS, one from a stick
#            whose kiosk does not run, one that cannot start; both are rolled back
#   damage   the data partition without its superblock, with torn blocks, and gone
#   cuts     CUTS pulled plugs while an update is written
#
# SLOW=4 waits so many times as long and gives the kiosk's unit more time to start and between its signs of life, for
# an emulator that gets a quarter of a processor; without it the unit is the image's.
#
# Pictures and logs go to out/image/test. As root, on Debian 12 for amd64; ends with
# lines "bench:".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")
out=$repo/out/image/test
cuts=${1:-0}
image=$repo/out/image/munjigi.img
keys=$repo/.cache/image/keys
cache=$repo/.cache/image/test
phases=" ${PHASES:-updates damage cuts} "
began=$SECONDS
cd "$repo"
[ -f "$image" ] || { echo "image: run make image first" >&2; exit 1; }
.ci/need dosfstools qemu-system-arm u-boot-qemu mtools e2fsprogs rauc squashfs-tools socat ffmpeg openssl gcc-aarch64-linux-gnu mmdebstrap make
rm -rf "$out"
mkdir -p "$out" "$cache"
work=$(mktemp -d "$cache/work.XXXX")
vm="" registry="" server=""
ended() {
  [ -z "$vm" ] || kill -9 "$vm" 2>/dev/null || true
  [ -z "$registry" ] || kill "$registry" 2>/dev/null || true
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap ended EXIT
say() { printf '== %s (%d s)\n' "$1" $((SECONDS - began)); }
fail() { echo "image: FAILED: $1" >&2; tail -n 25 "$out/console.log" >&2 || true; exit 1; }

# The camera's node for the image's kernel, once.
if [ ! -f "$cache/v4l2loopback.ko" ]; then
  say "v4l2loopback for the image's kernel"
  "$here/test/module.sh" "$(basename "$repo"/.cache/image/parts/lib/modules/*)" "$cache"
fi

say "a registry, and a disk with the visitor"
go build -o "$work/" ./cmd/registry ./cmd/issuer ./image/test/server
mkdir "$work/disk"
CGO_ENABLED=0 GOARCH=arm64 go build -trimpath -o "$work/disk/phone" ./image/test/phone
"$work/issuer" init "$work/issuer.d" >"$work/issuers.toml" 2>/dev/null
"$work/registry" init -address https://10.0.2.2:19443 "$work/registry.d" >/dev/null
config=$work/registry.d/registry.toml
sed -i 's/^listen = .*/listen = "127.0.0.1:19443"/' "$config"
cat "$work/issuers.toml" >>"$config"
"$work/registry" bundle -config "$config" >/dev/null
code=$("$work/registry" kiosk code -config "$config" -facility "$("$work/registry" facility add -config "$config" -name image -kind restaurant 2>/dev/null)" |
  sed -n "s/.*kiosk enroll '\(.*\)'.*/\1/p")
"$work/registry" serve -config "$config" >"$out/registry.log" 2>&1 &
registry=$!
cp "$(find "$work/issuer.d" -name '*kko*.key' | head -n 1)" "$work/disk/kko.key"
cp "$cache/v4l2loopback.ko" "$here/test/agent.sh" "$work/disk/"
cp "$image" "$work/card.img"

# Bundles of the same root: a newer one, one without a kiosk, one that cannot start;
# and two that are only looked at, so that what is in them does not matter.
pack() { # NAME VERSION: of root.img in $work/b
  printf '[update]\ncompatible=munjigi-arm64\nversion=%s\n[bundle]\nformat=verity\n[image.root]\nfilename=root.img\n' "$2" >"$work/b/manifest.raucm"
  rauc bundle --cert="$keys/cert.pem" --key="$keys/key.pem" --mksquashfs-args="-comp lz4" "$work/b" "$work/disk/$1.raucb" >"$out/rauc.log" 2>&1 || { cat "$out/rauc.log" >&2; exit 1; }
  rm -rf "$work/b"
}
bundle() { # NAME VERSION DEBUGFS-COMMANDS
  rm -rf "$work/b" && mkdir "$work/b"
  dd if="$image" of="$work/b/root.img" bs=1M skip=80 count=448 status=none conv=sparse
  printf '%s\n' "$2" >"$work/version"
  printf 'rm /etc/munjigi-version\nwrite %s /etc/munjigi-version\n%s\n' "$work/version" "$3" | debugfs -w "$work/b/root.img" >/dev/null 2>&1
  pack "$1" "$2"
}
small() { mkdir -p "$work/b" && head -c 65536 /dev/urandom >"$work/b/root.img" && pack "$1" "$2"; }
truncate -s 160M "$work/stick.img"
case $phases in *" updates "* | *" cuts "*)
  bundle good 20990101.000000.good ''
  bundle bad 20990103.000000.bad 'rm /usr/lib/systemd/systemd'
  bundle sick 20990102.000000.sick 'rm /usr/bin/kiosk'
  mkfs.vfat -n STICK "$work/stick.img" >/dev/null
  mcopy -i "$work/stick.img" "$work/disk/sick.raucb" ::munjigi.raucb
  rm "$work/disk/sick.raucb"
  small older 20200101.000000.older
  small foreign 20990104.000000.foreign
  printf 'x' | dd of="$work/disk/foreign.raucb" bs=1 seek=$(($(stat -c %s "$work/disk/foreign.raucb") - 600)) conv=notrunc status=none
  "$work/server" -ca "$work/disk/ca.pem" "$work/disk/good.raucb" >"$out/server.log" 2>&1 &
  server=$!
  until [ -s "$work/disk/ca.pem" ]; do sleep 0.1; done
  ;;
esac
truncate -s 420M "$work/disk.img"
chmod +x "$work/disk/agent.sh"
mkfs.ext4 -q -L visitor -d "$work/disk" "$work/disk.img"

# What a technician would edit.
MTOOLS_SKIP_CHECK=1 mcopy -i "$work/card.img@@16M" ::munjigi/kiosk.toml "$work/sample.toml"
sed -e "s|^code = .*|code = \"$code\"|" -e 's|^source = .*|source = "/dev/video20"|' -e 's/^width *= .*/width = 640/' -e 's/^height *= .*/height = 480/' \
  -e 's/^fps *= .*/fps = 5/' "$work/sample.toml" >"$work/kiosk.toml"
MTOOLS_SKIP_CHECK=1 mcopy -i "$work/card.img@@16M" ::munjigi/device.toml "$work/device.sample"
sed -e '/^\[update\]/,$ { s|^url = .*|url = "https://10.0.2.2:19444/munjigi.raucb"|; s|^hours = .*|hours = "any"|; }' "$work/device.sample" >"$work/device.toml"
MTOOLS_SKIP_CHECK=1 mcopy -o -i "$work/card.img@@16M" "$work/kiosk.toml" "$work/device.toml" ::munjigi/
kernel() { # WHAT-THE-AGENT-IS-TO-DO
  cat >"$work/kernel.txt" <<END
extra=agent.$1 ${SLOW:+agentslow }console=ttyAMA0 systemd.unit=multi-user.target systemd.wants=kernel-command-line.service systemd.run_success_action=none systemd.run_failure_action=none systemd.run="/bin/mount -o ro,X-mount.mkdir -L visitor /run/t" systemd.run=/run/t/agent.sh
END
  MTOOLS_SKIP_CHECK=1 mcopy -o -i "$work/card.img@@16M" "$work/kernel.txt" ::munjigi/
}
kernel updates

start() {
  rm -f "$out/console-now.log" # what the last start said must not count
  qemu-system-aarch64 -M virt -cpu cortex-a53 -smp 2 -m 1024 -accel tcg,thread=multi -bios /usr/lib/u-boot/qemu_arm64/u-boot.bin \
    -drive if=none,id=card,file="$work/card.img",format=raw,cache=writeback -device virtio-blk-pci,drive=card \
    -drive if=none,id=t,file="$work/disk.img",format=raw,readonly=on -device virtio-blk-pci,drive=t \
    -drive if=none,id=stick,file="$work/stick.img",format=raw \
    -audiodev wav,id=ear,path="$out/heard.wav" -device qemu-xhci -device usb-audio,audiodev=ear \
    -device virtio-gpu-pci,xres=1024,yres=600 -device virtio-rng-pci -netdev user,id=n -device virtio-net-pci,netdev=n,romfile= \
    -display none -monitor "unix:$work/monitor,server,nowait" -serial "file:$out/console-now.log" >"$out/qemu.log" 2>&1 &
  vm=$!
}
stop() { # as one pulls a plug
  kill -9 "$vm"
  wait "$vm" 2>/dev/null || true
  vm=""
  cat "$out/console-now.log" >>"$out/console-all.log"
}
monitor() { echo "$1" | socat -T 3 - "unix-connect:$work/monitor" >/dev/null; }
picture() { # NAME
  monitor "screendump $work/p.ppm" && sleep 1 && ffmpeg -v error -y -i "$work/p.ppm" "$out/$1.png"
}
# wait_for SECONDS PATTERN: until the guest says it.
wait_for() {
  local end=$((SECONDS + $1 * ${SLOW:-1}))
  until grep -qE "$2" "$out/console-now.log" 2>/dev/null; do
    cat "$out/console-now.log" >"$out/console.log" 2>/dev/null || true
    kill -0 "$vm" 2>/dev/null || fail "the emulator ended: $(cat "$out/qemu.log")"
    [ $SECONDS -lt $end ] || fail "not within $1 s: $2"
    sleep 1
  done
}

say "boot"
booted=$SECONDS
start
wait_for 600 '^AGENT root A, version'
wait_for 600 '^AGENT kiosk is ready'
echo "image: the kiosk is ready after $((SECONDS - booted)) s of emulation"
boot_s=$((SECONDS - booted))
wait_for 400 'AGENT enrolled'
wait_for 600 'AGENT accepted'
picture accepted
sleep 13 # the visitor goes, the next one is not there yet
picture idle
say "a pass was accepted under the real unit"
grep -E '^AGENT' "$out/console-now.log" || true

rss() { sed -n "s/^AGENT $1.*VmRSS: \([0-9]*\) kB.*/\1/p" "$out/console-now.log" | head -n 1; }
rss_mb=$(($(rss memory) / 1024))

case $phases in *" updates "*)
  say "bundles that somebody changed, or that are older; then one from the server"
  wait_for 900 'AGENT foreign refused'
  wait_for 300 'AGENT older refused'
  rss_mb=$(($(rss 'a minute later') / 1024))
  wait_for 1200 'AGENT root B, version .*good'
  wait_for 900 'AGENT kiosk is ready.*B'
  wait_for 600 'AGENT good B'
  wait_for 300 'AGENT wants a stick'
  grep -q 'If-None-Match: true' "$out/server.log" || fail "the bundle that runs was fetched again"
  picture updated
  say "a stick with one whose kiosk does not run"
  monitor "device_add usb-storage,drive=stick,id=stick"
  wait_for 1200 'AGENT no kiosk in A'
  sick=$SECONDS
  wait_for 1200 'AGENT back in B after the kiosk did not run'
  echo "image: back in the old root $((SECONDS - sick)) s after one that runs no kiosk had started"
  say "an update that cannot start"
  wait_for 1800 'AGENT back in B after a failed update'
  picture rolled-back
  ;;
esac
stop

# What a card does to its data: nobody's hand is needed, and where anything is left
# the kiosk is still enrolled.
data_at=$((976 << 20))
torn() { # BLOCK: 4 KiB of noise
  dd if=/dev/urandom of="$work/card.img" bs=4096 seek=$((data_at / 4096 + $1)) count=1 conv=notrunc status=none
}
damaged() { # NAME AGENT-MODE PATTERN…
  kernel "$2"
  start
  wait_for 900 '^AGENT kiosk is ready in [AB]'
  for pattern in "${@:3}"; do wait_for 900 "$pattern"; done
  picture "$1"
  grep -E '^AGENT (data|works|enrolled|not|state)' "$out/console-now.log" | sed "s/^AGENT/image: $1:/"
  stop
}
case $phases in *" damage "*)
  say "the data partition without its superblock"
  torn 0
  damaged no-superblock damage 'AGENT works as before'
  say "the data partition with torn blocks"
  # Group descriptors, and what follows the bitmaps: these cost nothing that is kept.
  blocks="1 2 150"
  echo "image: blocks" $blocks
  for b in $blocks; do torn "$b"; done
  damaged torn anew '^AGENT enrolled' 'AGENT state: active'
  say "the data partition gone"
  dd if=/dev/zero of="$work/card.img" bs=1M seek=$((data_at >> 20)) count=400 conv=notrunc status=none
  damaged gone anew 'AGENT state: active'
  ;;
esac

# Pulled plugs: the guest installs and starts anew without end; the emulator is
# killed at a random moment of that, and must be up again at the next start.
roots=""
case $phases in *" cuts "*)
  say "$cuts pulled plugs while updates are written"
  kernel cut
  for i in $(seq 0 "$cuts"); do
    start
    wait_for 900 '^AGENT kiosk is ready in [AB]'
    roots="$roots$(sed -n 's/^AGENT kiosk is ready in \([AB]\).*/\1/p' "$out/console-now.log" | head -n 1)"
    [ "$i" != "$cuts" ] || { stop; break; }
    wait_for 300 '^AGENT installing'
    sleep "$((RANDOM % ${CUT_SECONDS:-60})).$((RANDOM % 10))"
    stop
  done
  echo "image: started after each of $cuts cuts, from $roots"
  echo "bench: image.cuts $cuts count"
  ;;
esac
echo "bench: image.rss $rss_mb MB"
echo "bench: image.size $(cat "$repo/out/image/size") MB"
echo "bench: image.boot_emulated $boot_s s"
echo "image: passed in $((SECONDS - began)) s"
