#!/bin/sh
# Runs inside the emulated device, from the test's disk: plugs the camera in, and
# says on the serial line what happens. The image itself knows nothing of it.
exec >/dev/ttyAMA0 2>&1
slot=$(sed 's/.*rauc.slot=\([AB]\).*/\1/' /proc/cmdline)
version=$(cat /etc/munjigi-version)
say() { echo "AGENT $*"; }
say "root $slot, version $version"
cp /run/t/phone /run/t/kko.key /run/
chmod 755 /run/phone
mount -o remount,exec /run
modprobe videodev
insmod /run/t/v4l2loopback.ko video_nr=20 exclusive_caps=1 card_label=door
/run/phone -key /run/kko.key &
until [ "$(systemctl is-active munjigi-kiosk)" = active ]; do sleep 1; done
say "kiosk is ready in $slot: $(systemd-analyze time | head -n 1)"
if grep -q agent.cut /proc/cmdline; then
  say "installing"
  rauc install /run/t/good.raucb >/dev/null 2>&1 && say "installed, starting anew"
  exec systemctl reboot
fi
log() { journalctl -q -o cat -u munjigi-kiosk --no-pager; }
until log | grep -q 'accepted'; do
  n=$((n + 1))
  [ "${said:-}" ] || [ ! -e /var/lib/munjigi/bundle.cbor ] || { said=1; say enrolled; }
  [ $((n % 30)) != 0 ] || log | tail -n 3
  sleep 1
done
[ "${said:-}" ] || { say enrolled; }
say "accepted: $(log | grep accepted | tail -n 1)"
say "memory: $(grep VmRSS /proc/$(systemctl show -P MainPID munjigi-kiosk)/status | tr -s '\t ' ' '); failed units: $(systemctl --failed --no-legend --plain | tr '\n' ';')"
case "$slot $version $(cat /data/update/tried 2>/dev/null)" in
"A "*newer* | "A "*broken*) say "came back to A" ;;
"A "*)
  /usr/lib/munjigi/machine update /run/t/foreign.raucb && say "foreign TAKEN" || say "foreign refused"
  sleep 20
  say "installing"
  /usr/lib/munjigi/machine update /run/t/good.raucb || say "the update failed"
  ;;
"B newer newer")
  until [ "$(systemctl is-active munjigi-confirm)" = inactive ]; do sleep 2; done
  systemctl is-failed -q munjigi-confirm && say "confirm failed" || say "good B"
  sleep 20
  /usr/lib/munjigi/machine update /run/t/bad.raucb || say "the update failed"
  ;;
"B newer broken") say "back in B after a failed update" ;;
*) say "in $slot with $version" ;;
esac
sleep 100000
