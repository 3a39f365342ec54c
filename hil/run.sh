#!/usr/bin/env bash
# run.sh TIER… : tests the kiosk in a virtual device, a User-Mode Linux guest on
# this machine's own root file system with a camera node, a sound card, GPIO
# lines and a screen. docs/hil.md tells what each tier proves.
#
#   devices   the daemon on the guest's devices: YUYV and MJPEG at 640×480 and 1280×720
#   systemd   the unit under a real systemd as PID 1
#   latency   from the camera to the far end of the sound card; prints "bench:" lines
#
# Without TIER: devices and systemd. Pictures, sound and logs go to out/hil/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")
cache=$repo/.cache/hil
out=$repo/out/hil

# The folder with the kernel (linux-uml or linux-uml.xz) and v4l2loopback.ko.
kernel_folder() {
  local d
  for d in "${HIL_KERNEL:-}" "$repo/../shared/hil" "$cache/kernel"; do
    if [ -f "$d/v4l2loopback.ko" ] && { [ -f "$d/linux-uml" ] || [ -f "$d/linux-uml.xz" ]; }; then
      (cd "$d" && pwd)
      return
    fi
  done
  "$here/build-kernel.sh" "$cache/kernel" >&2
  echo "$cache/kernel"
}

# What the tiers use, as "program package".
programs() {
  cat <<'END'
ffmpeg ffmpeg
arecord alsa-utils
v4l2-ctl v4l-utils
gpioget gpiod
sox sox
busybox busybox-static
ip iproute2
xz xz-utils
insmod kmod
mkfs.ext4 e2fsprogs
systemd-analyze systemd
udevadm udev
ps procps
END
}

install_missing() {
  local missing
  missing=$(programs | while read -r program package; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || echo "$package"
  done)
  [ -z "$missing" ] && return
  if ! command -v apt-get >/dev/null; then
    echo "hil: install these first:" $missing >&2
    exit 1
  fi
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q >&2
  # shellcheck disable=SC2086 # words are wanted
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
}

# first lets the guest go before this machine's other work, where we may (root):
# its one processor has to keep time. User-Mode Linux makes a session of its
# own, and the scheduler weighs sessions against each other (sched(7), autogroup).
first() {
  local pid
  [ "$(id -u)" = 0 ] || return 0
  sleep 0.5
  for pid in $(pgrep -o -f "^$cache/linux-uml "); do
    { echo -10 >"/proc/$pid/autogroup"; } 2>/dev/null || true
  done
}

# boot TIER SECONDS KEY=value… : boots the guest, which runs guest/TIER.sh with
# the KEYs in its environment; the status is that script's.
boot() {
  local tier=$1 limit=$2 log status
  shift 2
  log=$cache/console.$$
  rm -f "$cache/disk.img"
  truncate -s 64M "$cache/disk.img"
  PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q "$cache/disk.img"
  first &
  timeout -k 5 "$limit" "$cache/linux-uml" mem="${MEM:-1536M}" root=/dev/root rootfstype=hostfs rootflags=/ ro quiet \
    con=null con0=fd:0,fd:1 console=tty0 ubda="$cache/disk.img" init="$here/guest/init.sh" \
    HIL_TIER="$tier" HIL_REPO="$repo" HIL_OUT="$out" HIL_MODULES="$kernel" "$@" </dev/null 2>&1 | tr -d '\r' | tee "$log" | sed '/^HIL-EXIT /d' || true
  status=$(sed -n 's/^HIL-EXIT //p' "$log" | tail -n 1)
  rm -f "$log"
  if [ -z "$status" ]; then
    echo "hil: the guest did not end by itself within $limit s" >&2
    return 1
  fi
  return "$status"
}

# fairly is boot, done again where the guest failed while this machine gave it
# no time (status 75 of the rig), twice at most.
fairly() {
  local try status
  for try in 1 2 3; do
    status=0
    boot "$@" || status=$?
    [ "$status" = 75 ] || return "$status"
    [ "$try" = 3 ] || echo "hil: the machine was too busy for the guest, once more"
  done
  return 1
}

devices() {
  local failed=0 format size scale
  for format in ${HIL_FORMATS:-YUYV MJPG}; do
    for size in ${HIL_SIZES:-640x480 1280x720}; do
      mkdir -p "$out/$format-$size"
      # 640×480 needs the phone held closer: version 11 has to have enough pixels.
      scale=0
      [ "$size" = 640x480 ] && scale=6.6
      fairly devices 180 HIL_FORMAT=$format HIL_SIZE=$size HIL_FPS=15 HIL_SCALE=$scale || failed=1
    done
  done
  return $failed
}

systemd() {
  mkdir -p "$out/systemd"
  # Control groups v1: this kernel enforces DeviceAllow= there, for v2 it lacks BPF.
  fairly systemd 240 systemd.unified_cgroup_hierarchy=0
}

latency() {
  mkdir -p "$out/latency"
  boot latency 300 HIL_FORMAT="${HIL_FORMAT:-YUYV}" HIL_SIZE="${HIL_SIZE:-1280x720}" HIL_FPS=30 HIL_VISITORS="${HIL_VISITORS:-25}"
}

[ $# -gt 0 ] || set -- devices systemd
for tier; do
  case $tier in
  devices | systemd | latency) ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done

install_missing
mkdir -p "$cache/bin" "$out/prompts"
kernel=$(kernel_folder)
if [ -f "$kernel/linux-uml.xz" ]; then
  xz -dc "$kernel/linux-uml.xz" >"$cache/linux-uml"
else
  cp "$kernel/linux-uml" "$cache/linux-uml"
fi
chmod +x "$cache/linux-uml"
(cd "$repo" && go build -o "$cache/bin/" ./cmd/kiosk ./cmd/registry ./cmd/issuer ./hil/rig)
for wav in "$repo"/audio/prompts/*.wav; do
  sox "$wav" -t raw -e signed -b 16 -r 48000 -c 1 "$out/prompts/$(basename "$wav" .wav).s16"
done

failed=""
for tier; do
  echo "== $tier"
  "$tier" || failed="$failed $tier"
done
if [ -n "$failed" ]; then
  echo "hil: failed:$failed (see $out)" >&2
  exit 1
fi
