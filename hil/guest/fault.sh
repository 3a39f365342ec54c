# fault.sh NAME on|off : brings a fault about, or ends it (hil/rig/faults.go
# says what it is to look like). What is not here the rig does by itself.
set -eu
PATH=$PATH:/usr/sbin:/sbin
unit=munjigi-kiosk.service
data=/var/lib/munjigi
kill_kiosk() { systemctl kill -s KILL $unit; }

# table TARGET : puts another device mapper's target under the data partition.
# Without a flush what is on its way goes the new way, as with a disk that fails.
table() {
  dmsetup suspend --noflush --nolockfs data
  dmsetup load data --table "$1"
  dmsetup resume data
}
sectors() { blockdev --getsz "$HIL_LOOP"; }
healthy() { table "0 $(sectors) linear $HIL_LOOP 0"; }

# now is the time in hundredths of a second; set_to sets it. Whole seconds would
# add up, until phones that keep the true time seem to be ahead.
now() { date +%s%2N; }
set_to() { date -s "@${1::-2}.${1: -2}" >/dev/null; }
uptime() { tr -d . </proc/uptime | cut -d' ' -f1; }

# clock BY [unsure] : sets the clock by so many seconds; the machine still
# vouches for it, or does not. (One that it vouches for and is ahead counts as
# the time: the kiosk then refuses until that time has come.)
clock() {
  set_to "$(($(now) + $1 * 100))"
  [ "${2:-}" = unsure ] || "$HIL_BIN/rig" -synchronised
}

# unload takes the camera's driver away: the kiosk lets go of a camera that is silent.
unload() {
  local users
  for _ in $(seq 60); do
    read -r users </sys/module/v4l2loopback/refcnt
    [ "$users" = 0 ] && rmmod v4l2loopback && return
    sleep 0.5
  done
  echo "the camera's driver is still in use" >&2
  return 1
}
load() { insmod "$HIL_MODULES/v4l2loopback.ko" video_nr=20 exclusive_caps=1 card_label=door; }

# card on|off : unplugs the sound card, or plugs it in.
card() {
  local how=unbind
  [ "$1" = on ] || how=bind
  echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/$how
}

portal() {
  systemd-run -q -G -u hil-portal -p NetworkNamespacePath=/run/netns/street "$HIL_BIN/rig" -portal "$@"
  sleep 1
  systemctl is-active hil-portal >/dev/null || { echo "the portal did not stay" >&2; return 1; }
}

case $1-$2 in
camera-unplugged-on) unload ;;
camera-unplugged-off) load ;;
sound-unplugged-on | sound-unplugged-off) card "$2" ;;
# As a hub that carries them all.
all-unplugged-on) card on; unload ;;
all-unplugged-off) card off; load ;;

disk-full-on) dd if=/dev/zero of=$data/lost bs=64k 2>/dev/null || true ;;
disk-full-off) rm -f $data/lost ;;
disk-read-only-on) echo u >/proc/sysrq-trigger; sleep 1 ;;
disk-read-only-off) mount -o remount,rw $data ;;
disk-slow-on) table "0 $(sectors) delay $HIL_LOOP 0 0 $HIL_LOOP 0 500" ;;
disk-slow-off) healthy ;;
disk-errors-on) table "0 $(sectors) flakey $HIL_LOOP 0 0 3600 1 error_writes" ;;
disk-errors-off)
  # The file system stays read-only until it is mounted anew: as by the next boot.
  healthy
  systemctl stop $unit
  umount $data
  fsck.ext4 -p /dev/mapper/data || [ $? = 1 ]
  mount /dev/mapper/data $data
  systemctl start $unit
  ;;

clock-back-on) systemctl stop hil-registry; clock -3600 ;;
clock-back-off) clock 3600; systemctl start hil-registry ;;
clock-forward-on) systemctl stop hil-registry; clock 3600 unsure ;;
clock-forward-off) clock -3600; systemctl start hil-registry ;;
clock-never-set-on)
  systemctl stop hil-registry
  echo "$(now) $(uptime)" >/run/hil-clock
  systemctl stop $unit
  date -s 1970-01-02 >/dev/null
  systemctl start $unit
  ;;
clock-never-set-off)
  read -r was since </run/hil-clock
  set_to "$((was + $(uptime) - since))"
  "$HIL_BIN/rig" -synchronised
  systemctl start hil-registry
  ;;

network-gone-on) ip link set door down ;;
network-gone-off) ip link set door up ;;
network-slow-on) tc qdisc add dev door root netem delay 3000ms 1000ms loss 30% ;;
network-slow-off) tc qdisc del dev door root ;;
captive-portal-on) systemctl stop hil-registry; portal 10.9.0.2:8082 ;;
captive-portal-off) systemctl stop hil-portal; systemctl start hil-registry ;;
dns-lies-on) portal 10.9.0.3:8082; sed 's/^10.9.0.2 registry.hil/10.9.0.3 registry.hil/' /etc/hosts >/run/hosts; cat /run/hosts >/etc/hosts ;;
dns-lies-off) systemctl stop hil-portal; sed 's/^10.9.0.3 registry.hil/10.9.0.2 registry.hil/' /etc/hosts >/run/hosts; cat /run/hosts >/etc/hosts ;;
registry-certificate-expired-on) systemctl stop hil-registry; portal 10.9.0.2:8082 -expired /srv/hil/registry ;;
registry-certificate-expired-off) systemctl stop hil-portal; systemctl start hil-registry ;;
registry-killed-on) systemctl kill -s KILL hil-registry ;;

memory-short-on) echo 72M >"/sys/fs/cgroup/memory/system.slice/$unit/memory.limit_in_bytes" ;;
memory-short-off) echo -1 >"/sys/fs/cgroup/memory/system.slice/$unit/memory.limit_in_bytes" ;;

kiosk-killed-on) kill_kiosk ;;
config-damaged-on)
  cp -p /etc/munjigi/kiosk.toml /run/kiosk.toml
  printf 'data = \0\0\0[camera\nsource = ' >/etc/munjigi/kiosk.toml
  kill_kiosk
  ;;
config-damaged-off) cat /run/kiosk.toml >/etc/munjigi/kiosk.toml ;;
journal-damaged-on)
  systemctl kill -s KILL $unit
  dd if=/dev/urandom of=$data/journal.db bs=4096 count=2 conv=notrunc 2>/dev/null
  ;;
journal-damaged-off) ls $data/journal.db.damaged-* >/dev/null ;; # it has mended itself
esac
