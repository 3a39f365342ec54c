# The unit under a real systemd.
. "$HIL_REPO/hil/guest/unit.sh"

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
