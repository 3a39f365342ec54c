# The unit under a real systemd. init.sh calls "prepare", which becomes PID 1;
# the rest runs as a service of it.
HIL_FORMAT=YUYV HIL_SIZE=640x480 HIL_FPS=15 HIL_SCALE=6.6
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/systemd
unit=munjigi-kiosk.service

# Installs the project as a package would, and leaves only this test to boot.
prepare() {
  cp "$bin/kiosk" /usr/bin/kiosk
  cp "$HIL_REPO/systemd/$unit" /usr/lib/systemd/system/
  cp "$HIL_REPO/systemd/munjigi.sysusers" /usr/lib/sysusers.d/munjigi.conf
  cp "$HIL_REPO/systemd/munjigi.tmpfiles" /usr/lib/tmpfiles.d/munjigi.conf
  cp "$HIL_REPO/systemd/60-munjigi.rules" /usr/lib/udev/rules.d/
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
Environment=HIL_CLOCK=$HIL_CLOCK HIL_REPO=$HIL_REPO HIL_OUT=$HIL_OUT HIL_MODULES=$HIL_MODULES HIL_PINS=$pins HIL_KEY=$key PATH=$PATH LANG=C.UTF-8
ExecStart=/bin/bash $HIL_REPO/hil/guest/systemd.sh checked
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

# visitors PLAN: with the log of the process that now runs.
visitors() {
  local log=$results/kiosk-$(show MainPID).log
  journalctl -q -o cat -f -n all _PID="$(show MainPID)" >"$log" &
  local follow=$! rc=0
  rig -plan "$1" -log "$log" -gpio "$pins" -screen "/dev/fb0:$(tr , x </sys/class/graphics/fb0/virtual_size)" || rc=$?
  kill $follow
  return $rc
}

check() {
  "$bin/registry" serve -config $home/registry/registry.toml >"$results/registry.log" 2>&1 &
  # The machine vouches for its clock, the guest's kernel for that: as after NTP.
  "$bin/rig" -synchronised
  until_ok 30 active || fail "READY=1" "$(show StatusText) $(journalctl -n 5 -o cat -u $unit)"
  local pid
  pid=$(show MainPID)
  say "READY=1: active, systemd $(systemctl --version | head -n 1 | cut -d' ' -f2) as PID 1" "$(cat /proc/1/comm)"
  say "runs as" "$(ps -o user:20= -p "$pid") ($(id -nG munjigi))"
  [ "$(ps -o user:20= -p "$pid" | tr -d ' ')" = munjigi ] || fail "own user"
  say "core dumps, capabilities, new privileges" "$(awk '/core/{print $5}' "/proc/$pid/limits"), $(awk '/CapEff/{print $2}' "/proc/$pid/status"), $(awk '/NoNewPrivs/{print $2==1?"no":"yes"}' "/proc/$pid/status")"
  say "devices the control group lets through" "$(tr '\n' ';' <"/sys/fs/cgroup/devices$(show ControlGroup)/devices.list" | head -c 400)"
  say "state folder" "$(stat -c '%U %a' $data), kiosk.toml $(stat -c '%U:%G %a' /etc/munjigi/kiosk.toml)"
  visitors good,forged || fail "visitors under the unit" "" $?
  say "a good and a forged code under the unit" ok

  local fed
  fed=$(show WatchdogTimestampMonotonic)
  sleep 6
  [ "$(show WatchdogTimestampMonotonic)" -gt "$fed" ] || fail "watchdog is fed"
  say "watchdog of $(show WatchdogUSec) fed within 6 s" "by $((($(show WatchdogTimestampMonotonic) - fed) / 1000)) ms"

  local stopped=$SECONDS
  kill -STOP "$pid"
  until_ok 40 restarted || fail "watchdog restarts a stopped process" "$(show ActiveState) $(show Result)"
  say "SIGSTOP: watchdog restarted it after" "$((SECONDS - stopped)) s, pid $pid → $(show MainPID)"
  visitors good || fail "a visitor after the restart" "" $?
  say "a good code after the restart" ok

  pid=$(show MainPID)
  systemctl stop $unit
  [ "$(show Result)" = success ] && [ "$(show ExecMainStatus)" = 0 ] && [ "$(show ActiveState)" = inactive ] ||
    fail "systemctl stop" "$(show Result) $(show ExecMainStatus) $(show ActiveState)"
  say "systemctl stop" "status 0, inactive"
  if ls /core* $data/core* /var/lib/systemd/coredump/* 2>/dev/null; then
    fail "no core dump"
  fi
  say "core dumps on disk" none
}

"$1"
