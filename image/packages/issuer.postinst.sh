#!/bin/sh
# $1 is "configure", $2 the version that was there before, empty for none.
set -e
systemd-sysusers munjigi-issuer.conf
systemd-tmpfiles --create munjigi-issuer.conf
# Enabled once its folder is made: `issuer init` comes first.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart munjigi-issuer.service || true
fi
