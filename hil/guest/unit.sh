# The unit under a real systemd as PID 1, for the tiers systemd and faults.
# init.sh calls "prepare", which becomes PID 1; the tier's "check" runs as a
# service of it. A tier may have a "before".
HIL_FORMAT=YUYV HIL_SIZE=640x480 HIL_FPS=15 HIL_SCALE=6.6
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/$HIL_RESULTS
unit=munjigi-kiosk.service

# Installs the project as a package would, and leaves only this test to boot.
prepare() {
  cp "$bin/kiosk" /usr/bin/kiosk
  cp "$HIL_REPO/systemd/$unit" /usr/lib/systemd/system/
  cp "$HIL_REPO/systemd/munjigi.sysusers" /usr/lib/sysusers.d/munjigi.conf
  cp "$HIL_REPO/systemd/munjigi.tmpfiles" /usr/lib/tmpfiles.d/munjigi.conf
  cp "$HIL_REPO/systemd/60-munjigi.rules" /usr/lib/udev/rules.d/
  if declare -F before >/dev/null; then before; fi
  camera_up
  gpio_up
  sound_up
  registry_up >/dev/null
  kill $! # it is started anew below, when PID 1 is systemd
  kiosk_toml /etc/munjigi/kiosk.toml
  : >/etc/fstab
  # The checkout may lie in /tmp, which a boot empties.
  rm -f /usr/lib/tmpfiles.d/tmp.conf
  ln -sf /dev/null /etc/systemd/system/tmp.mount
  rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires
  [ -s /etc/machine-id ] || systemd-machine-id-setup >/dev/null
  cat >/etc/systemd/system/hil.target <<END
[Unit]
Requires=basic.target hil.service
Wants=$unit
After=basic.target
AllowIsolate=yes
END
  cat >/etc/systemd/system/hil.service <<END
[Unit]
After=basic.target
FailureAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=HIL_TIER=$HIL_TIER HIL_RESULTS=$HIL_RESULTS HIL_CLOCK=$HIL_CLOCK HIL_FAULTS=${HIL_FAULTS:-} HIL_DISK=$HIL_DISK HIL_REPO=$HIL_REPO HIL_OUT=$HIL_OUT HIL_MODULES=$HIL_MODULES HIL_PINS=$pins HIL_KEY=$key PATH=$PATH LANG=C.UTF-8
ExecStart=/bin/bash $HIL_REPO/hil/guest/$HIL_TIER.sh checked
END
  # No battery clock here: the unit must be let to ask the kernel for its state.
  mkdir -p "/etc/systemd/system/$unit.d"
  printf '[Service]\nTemporaryFileSystem=/sys/class/rtc:ro\n' >"/etc/systemd/system/$unit.d/no-battery-clock.conf"
  exec /lib/systemd/systemd --unit=hil.target
}

checked() {
  exec >/dev/console 2>&1
  pins=$HIL_PINS key=$HIL_KEY status=0
  (check) || status=$?
  journalctl --no-pager -o short-precise >"$results/journal.log" || true
  sync
  echo "HIL-EXIT $status"
  busybox poweroff -f
}

say() { printf '%-58s %s\n' "$1" "$2"; }
fail() { say "$1" "FAILED: ${2:-}"; exit "${3:-1}"; }
show() { systemctl show -P "$1" $unit; }

# until_ok SECONDS COMMAND…
until_ok() {
  local end=$((SECONDS + $1))
  shift
  while ! "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}
active() { [ "$(show ActiveState)" = active ]; }
restarted() { [ "$(show NRestarts)" -ge 1 ] && active; }
