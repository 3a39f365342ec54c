# The daemon before a crowd, until the power is cut. The data partition and the
# registry's have a disk each, which outlive the guest.
HIL_FORMAT=YUYV HIL_SIZE=640x480 HIL_FPS=30
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/$HIL_RESULTS
mkdir -p $data $home
mount /dev/ubda $data
mount /dev/ubdb $home
camera_up
sound_up

# The first boot enrols the kiosk and ends by itself.
if [ ! -e $home/kiosk.toml ]; then
  registry_up
  kiosk_toml $home/new.toml
  sed -i '/^\[gpio\]/,$d' $home/new.toml
  "$bin/kiosk" run -config $home/new.toml >"$results/kiosk.log" 2>&1 &
  until [ -e $data/enrolment.cbor ]; do sleep 0.1; done
  kill -TERM $!
  wait $!
  mv $home/new.toml $home/kiosk.toml
  exit 0
fi
[ "${HIL_ONLINE:-}" = 1 ] && registry_serve
key=$(find $home/issuer -name '*kko*.key')
unsynced=
[ "${HIL_UNSYNCED:-}" = 1 ] && unsynced="$bin/powercut unsynced --"
# shellcheck disable=SC2086 # words are wanted
exec "$bin/rig" -crowd -again "$results/again" -format $HIL_FORMAT -size $HIL_SIZE -fps $HIL_FPS -key "$key" -log "$results/kiosk.log" \
  -- $unsynced "$bin/kiosk" run -config $home/kiosk.toml
