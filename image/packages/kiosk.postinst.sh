#!/bin/sh
# $1 is "configure", $2 the version that was there before, empty for none.
set -e
systemd-sysusers munjigi.conf
systemd-tmpfiles --create munjigi.conf
[ -n "$2" ] || systemctl enable munjigi-kiosk.service
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  udevadm control --reload && udevadm trigger --subsystem-match=gpio || true
  systemctl restart munjigi-kiosk.service || true
fi
