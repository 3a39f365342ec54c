#!/usr/bin/env bash
# run.sh TIER… : tests the kiosk in a virtual device, a User-Mode Linux guest on
# this machine's own root file system with a camera node, a sound card, GPIO
# lines and a screen. docs/hil.md tells what each tier proves.
#
#   devices   the daemon on the guest's devices: YUYV and MJPEG at 640×480 and 1280×720 by the
#             guest's own clock, and YUYV at 640×480 by this machine's
#   systemd   the unit under a real systemd as PID 1
#   cuts      the power is cut at random moments: HIL_CUTS (30) kills of the guest
#   replay    a record of what the disk was given is cut at HIL_REPLAYS (100) random places
#   faults    what goes wrong at a door, and comes right again: HIL_FAULTS=short, all or names
#   replug    camera, sound and screen are pulled out at once and put back, HIL_REPLUGS (5) times
#   soak      HIL_SOAK (150) visitors, and whether memory, files, threads or the journal grow
#   latency   from the camera to the far end of the sound card; prints "bench:" lines
#
# Without TIER: all but latency. Pictures, sound and logs go to out/hil/.
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
dmsetup dmsetup
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

# guest TIER CLOCK FOLDER KEY=value… : sets $guest to the words that boot it.
guest() {
  local tier=$1 clock=$2 folder=$3
  shift 3
  guest=("$cache/linux-uml" mem="${MEM:-1536M}" root=/dev/root rootfstype=hostfs rootflags=/ ro quiet
    con=null con0=fd:0,fd:1 console=tty0 init="$here/guest/init.sh"
    HIL_TIER="$tier" HIL_CLOCK="$clock" HIL_RESULTS="$folder" HIL_REPO="$repo" HIL_OUT="$out" HIL_MODULES="$kernel" HIL_DISK="$cache/disk" "$@")
}

# disks FOLDER NAME=SIZE… : fresh ext4 images in FOLDER, which is emptied.
disks() {
  local folder=$1 d
  shift
  rm -rf "$folder"
  mkdir -p "$folder"
  for d; do
    truncate -s "${d#*=}" "$folder/${d%=*}.img"
    PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -b 4096 "$folder/${d%=*}.img"
  done
}

# boot TIER CLOCK FOLDER KEY=value… : boots the guest, which runs guest/TIER.sh
# with the KEYs in its environment; the status is that script's, and
# $out/FOLDER/console.log what it said.
#
# CLOCK is "own" or "machine". With its own, the guest's time stands still while
# it computes and leaps to the next timer when it has nothing to do: what happens
# does not depend on how much of a processor this machine has for it.
boot() {
  local tier=$1 clock=$2 folder=$3 status disk
  local limit=${HIL_LIMIT:-900} # s, of this machine's time; it takes 15 to 60
  shift 3
  mkdir -p "$out/$folder"
  disks "$cache/disk" disk="${DISK:-64M}"
  disk=ubda=$cache/disk/disk.img
  [ "$clock" = own ] && disk=time-travel=inf-cpu
  guest "$tier" "$clock" "$folder" "$disk" "$@"
  first &
  timeout -k 5 "$limit" "${guest[@]}" \
    </dev/null 2>&1 | stdbuf -oL tr -d "\r" | tee "$out/$folder/console.log" | sed -u '/^HIL-EXIT /d; /^bench: /d; /^Failed to initialize ubd/d; /Failed to start/d' || true
  status=$(sed -n 's/^HIL-EXIT //p' "$out/$folder/console.log" | tail -n 1)
  if [ -z "$status" ]; then
    echo "hil: the guest did not end by itself within $limit s" | tee -a "$out/$folder/console.log" >&2
    return 1
  fi
  return "$status"
}

# fairly is boot, done again where the guest failed while this machine gave it
# no time (status 75 of the rig), twice at most. It keeps the result for the end.
fairly() {
  local try status began=$SECONDS
  for ((try = 1; ; try++)); do
    status=0
    boot "$@" || status=$?
    if [ "$status" != 75 ] || [ "$try" = "${HIL_TRIES:-3}" ]; then break; fi
    echo "hil: the machine was too busy for the guest, once more"
  done
  benches=$benches$(grep '^bench: ' "$out/$3/console.log" || true)$'\n'
  if [ "$status" = 0 ]; then
    results+=("passed  $3, clock: $2 ($((SECONDS - began)) s, boot $try)")
    return 0
  fi
  results+=("FAILED  $3, clock: $2 ($((SECONDS - began)) s, boot $try, status $status)")
  while read -r line; do
    results+=("        ${line:0:160}")
  done < <(reasons "$out/$3/console.log")
  return 1
}

# reasons CONSOLE: what the rig complained of, the lines of the other checks, or
# else the last that was said.
reasons() {
  {
    sed -n '/^rig: /,/^Length\|^reboot:/p' "$1" | grep -v '^Length\|^reboot:\|^HIL-EXIT' || true
    grep -E 'FAILED: |panic|did not end by itself' "$1" || true
  } | head -n 8 | grep . || tail -n 4 "$1"
}

devices() {
  local failed=0 clock mode modes
  for clock in ${HIL_CLOCKS:-own machine}; do
    modes="${HIL_MODES:-YUYV-640x480 YUYV-1280x720 MJPG-640x480 MJPG-1280x720}"
    [ "$clock" = own ] || modes=${modes%% *} # in real time the first will do
    for mode in $modes; do
      device "${mode%-*}" "${mode#*-}" "$clock" || failed=1
    done
  done
  return $failed
}

# device FORMAT SIZE CLOCK
device() {
  local scale=0 folder=$1-$2 lines=
  # 640×480 needs the phone held closer: version 11 has to have enough pixels.
  [ "$2" = 640x480 ] && scale=6.6
  [ "$3" = own ] || folder=$folder-real
  # Buttons, presence sensor, interlock and buzzer, once.
  [ "$1-$2-$3" = YUYV-640x480-own ] && lines=yes
  fairly devices "$3" "$folder" HIL_FORMAT="$1" HIL_SIZE="$2" HIL_FPS=15 HIL_SCALE=$scale HIL_LINES=$lines
}

systemd() {
  # Control groups v1: this kernel enforces DeviceAllow= there, for v2 it lacks BPF.
  fairly systemd own systemd systemd.unified_cgroup_hierarchy=0
}

# The power is cut: the guest is killed by its process group, at random moments.
cuts() {
  local status=0 began=$SECONDS log=$out/cuts/cuts.log disks=/dev/shm/munjigi-hil.$$ arguments
  # Disks in memory: it is the guest that dies, not this machine.
  [ -w /dev/shm ] || disks=$cache/disk
  mkdir -p "$out/cuts"
  : >"$log"
  for arguments in "-n ${HIL_CUTS:-30}" "-n 10 -unsynced"; do
    disks "$disks" data=32M registry=64M
    MEM=512M guest cuts machine cuts ubda="$disks/data.img" ubdb="$disks/registry.img"
    first &
    # shellcheck disable=SC2086 # words are wanted
    "$cache/bin/powercut" kill $arguments -disk "$disks/data.img" -registry "$disks/registry.img" -results "$out/cuts" -- "${guest[@]}" 2>&1 </dev/null | tee -a "$log" | sed -u '/^bench: /d' || status=1
  done
  benches=$benches$(grep '^bench: ' "$log" || true)$'\n'
  rm -rf "$disks"
  concluded cuts "$status" "$began" "$log"
}

# What the disk was given is recorded, and the record cut: with what no flush
# had made sure dropped or torn.
replay() {
  local failed=0
  DISK=16M fairly replay own replay HIL_CUTS="${HIL_REPLAYS:-100}" HIL_VISITORS=60 || failed=1
  DISK=16M fairly replay own replay-unsynced HIL_CUTS=40 HIL_VISITORS=20 HIL_UNSYNCED=1 || failed=1
  return $failed
}

# concluded NAME STATUS BEGAN LOG keeps a tier's result for the end.
concluded() {
  if [ "$2" = 0 ]; then
    results+=("passed  $1 ($((SECONDS - $3)) s)")
    return 0
  fi
  results+=("FAILED  $1 ($((SECONDS - $3)) s)")
  while read -r line; do
    results+=("        ${line:0:160}")
  done < <(tail -n 6 "$4")
  return 1
}

# What goes wrong at a door, and comes right again without anybody's help.
faults() {
  fairly faults own faults systemd.unified_cgroup_hierarchy=0 HIL_FAULTS="${HIL_FAULTS:-short}"
}

# Camera, sound and screen are pulled out and put back again and again.
replug() {
  fairly faults own replug systemd.unified_cgroup_hierarchy=0 HIL_FAULTS="replug:${HIL_REPLUGS:-5}"
}

# Many visitors, and whether anything grows with them.
soak() {
  fairly soak own soak HIL_VISITORS="${HIL_SOAK:-150}"
}

latency() {
  # Three minutes where the machine is quiet. Where it is not, trying again gives no figure either.
  HIL_LIMIT=${HIL_LIMIT:-360} HIL_TRIES=1 fairly latency "${HIL_CLOCKS:-machine}" latency HIL_FORMAT="${HIL_FORMAT:-YUYV}" HIL_SIZE="${HIL_SIZE:-1280x720}" HIL_FPS=30 HIL_VISITORS="${HIL_VISITORS:-25}"
}

[ $# -gt 0 ] || set -- devices systemd faults replug cuts replay soak
for tier; do
  case $tier in
  devices | systemd | cuts | replay | faults | replug | soak | latency) ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done

install_missing
mkdir -p "$cache/bin" "$out/prompts"
exec 9>"$cache/lock"
flock -n 9 || { echo "hil: waiting for another run in this checkout"; flock -w 3600 9; }
kernel=$(kernel_folder)
if [ -f "$kernel/linux-uml.xz" ]; then
  xz -dc "$kernel/linux-uml.xz" >"$cache/linux-uml"
else
  cp "$kernel/linux-uml" "$cache/linux-uml"
fi
chmod +x "$cache/linux-uml"
if ! grep -q time-travel "$cache/linux-uml"; then
  echo "hil: the kernel in $kernel cannot have a clock of its own: build it anew with hil/build-kernel.sh $kernel" >&2
  exit 1
fi
(cd "$repo" && go build -o "$cache/bin/" ./cmd/kiosk ./cmd/registry ./cmd/issuer ./hil/rig ./hil/powercut)
rm -f "$out"/prompts/*
"$cache/bin/rig" -speak "$out/prompts"
for wav in "$out"/prompts/*.wav; do
  sox "$wav" -t raw -e signed -b 16 -r 48000 -c 1 "$out/prompts/$(basename "$wav" .wav).s16"
done

failed="" results=() benches=""
for tier; do
  echo "== $tier"
  "$tier" || failed="$failed $tier"
done
grep . <<<"$benches" || true
image=$repo/out/image/munjigi.img.xz # where "make image" has built one
[ ! -f "$image" ] || echo "bench: image.size $(du -m --apparent-size "$image" | cut -f1) MB"
# Last and short, as who reads a log often has its end alone. What "make bench"
# reads comes before.
{
  printf 'hil: %s\n' "${results[@]}"
  [ -z "$failed" ] || echo "hil: failed:$failed (see $out)"
} >&2
[ -z "$failed" ]
