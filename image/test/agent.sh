#!/bin/sh
# Runs inside the emulated device, from the test's disk: plugs the camera in, and
# says on the serial line what happens. The image itself knows nothing of it.
exec >/dev/ttyAMA0 2>&1
slot=$(sed 's/.*rauc.slot=\([AB]\).*/\1/' /proc/cmdline)
version=$(cat /etc/munjigi-version)
mode=$(sed -n 's/.* agent\.\([a-z]*\) .*/\1/p' /proc/cmdline) # not of systemd.run=…/agent.sh
say() { echo "AGENT $*"; }
log() { journalctl -q -o cat -u "$1" --no-pager; }
say "root $slot, version $version"
if grep -q agentslow /proc/cmdline; then
  mkdir -p /run/systemd/system/munjigi-kiosk.service.d
  printf '[Service]\nTimeoutStartSec=600\nWatchdogSec=120\n' >/run/systemd/system/munjigi-kiosk.service.d/slow.conf
  systemctl daemon-reload
  systemctl restart --no-block munjigi-kiosk
fi
cp /run/t/phone /run/t/kko.key /run/
chmod 755 /run/phone
mount -o remount,exec /run
# The timer's time is not ours to wait for; its unit is started by hand below.
say "timer: $(systemctl is-active munjigi-update.timer)"
systemctl stop munjigi-update.timer
modprobe videodev
insmod /run/t/v4l2loopback.ko video_nr=20 exclusive_caps=1 card_label=door
/run/phone -key /run/kko.key &
if [ "${version##*.}" = sick ]; then
  say "no kiosk in $slot: $(systemctl is-active munjigi-kiosk)"
  exec sleep 100000
fi
until [ "$(systemctl is-active munjigi-kiosk)" = active ]; do
  n=$((n + 1))
  [ $((n % 60)) != 0 ] || log munjigi-kiosk | tail -n 3
  sleep 1
done
say "kiosk is ready in $slot: $(systemd-analyze time | head -n 1)"
log munjigi-data | while read -r line; do say "data: $line"; done
case $mode in
cut)
  say "installing"
  rauc install /run/t/bad.raucb >/dev/null 2>&1 && say "installed, starting anew"
  exec systemctl reboot
  ;;
anew)
  sleep 20
  [ -e /var/lib/munjigi/bundle.cbor ] && say "enrolled" || say "not enrolled"
  say "state: $(systemctl is-active munjigi-kiosk), restarts $(systemctl show -P NRestarts munjigi-kiosk), $(ls -ld /data/munjigi)"
  exec sleep 100000
  ;;
esac
n=0
until log munjigi-kiosk | grep -q 'accepted'; do
  n=$((n + 1))
  [ "${said:-}" ] || [ ! -e /var/lib/munjigi/bundle.cbor ] || { said=1; say enrolled; }
  [ $((n % 30)) != 0 ] || log munjigi-kiosk | tail -n 3
  sleep 1
done
[ "${said:-}" ] || { say enrolled; }
say "accepted: $(log munjigi-kiosk | grep accepted | tail -n 1)"
say "memory: $(grep -E 'VmRSS|VmHWM' "/proc/$(systemctl show -P MainPID munjigi-kiosk)/status" | tr -s '\t\n ' ' '); failed units: $(systemctl --failed --no-legend --plain | tr '\n' ';')"
say "runs: $(for p in /proc/[0-9]*; do [ -z "$(cat "$p/cmdline" 2>/dev/null | tr -d "\0")" ] || sed -n 's/^Name:\t//p; s/^VmRSS:[\t ]*\([0-9]*\).*/\1/p' "$p/status" 2>/dev/null | tr '\n' ' '; done)"
[ "$mode" != damage ] || { say "works as before"; exec sleep 100000; }
tried=$(cat /data/update/tried 2>/dev/null)
# What the device trusts is the test's, until the next start; the unit is the image's.
trusted() {
  mkdir -p /run/systemd/system/munjigi-update.service.d
  printf '[Service]\nEnvironment=SSL_CERT_FILE=/run/t/ca.pem\n' >/run/systemd/system/munjigi-update.service.d/test.conf
  systemctl daemon-reload
}
refused() { /usr/lib/munjigi/machine update "/run/t/$1.raucb" && say "$1 TAKEN" || say "$1 refused"; }
case "$slot ${version##*.} ${tried##*.}" in
"A good "* | "A sick "* | "A bad "*) say "what is that in A: $version" ;;
"A "*)
  sleep 60
  say "a minute later: $(grep VmRSS "/proc/$(systemctl show -P MainPID munjigi-kiosk)/status" | tr -s '\t\n ' ' ')"
  refused foreign
  refused older
  trusted
  say "asking the server"
  for try in 1 2 3; do # an emulator beside other work is too slow for a handshake's ten seconds
    systemctl start munjigi-update && break
    say "the update failed, try $try: $(log munjigi-update | grep machine: | tail -n 1)"
  done
  ;;
"B good good")
  until [ "$(systemctl is-active munjigi-confirm)" = inactive ]; do sleep 2; done
  systemctl is-failed -q munjigi-confirm && say "confirm failed" || say "good B"
  trusted
  systemctl start munjigi-update && say "asked again: $(log munjigi-update | tail -n 1)"
  say "wants a stick"
  ;;
"B good sick")
  say "back in B after the kiosk did not run"
  sleep 20
  /usr/lib/munjigi/machine update /run/t/bad.raucb || say "the update failed"
  ;;
"B good bad") say "back in B after a failed update" ;;
*) say "in $slot with $version after $tried" ;;
esac
exec sleep 100000
