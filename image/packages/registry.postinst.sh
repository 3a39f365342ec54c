#!/bin/sh
# $1 is "configure", $2 the version that was there before, empty for none.
set -e
systemd-sysusers munjigi-registry.conf
systemd-tmpfiles --create munjigi-registry.conf
# Enabled once its folder is made: `registry init` comes first.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart munjigi-registry.service || true
fi
