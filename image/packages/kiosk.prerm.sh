#!/bin/sh
# What it kept stays: visits and keys are nobody's to delete by an uninstall.
set -e
if [ "$1" = remove ]; then
  systemctl disable munjigi-kiosk.service || true
  [ ! -d /run/systemd/system ] || systemctl stop munjigi-kiosk.service || true
fi
