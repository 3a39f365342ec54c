# Visitors, a second apart, one after another, with the registry up; nothing may
# grow with them. By the guest's clock.
HIL_FORMAT=YUYV HIL_SIZE=640x480 HIL_FPS=10
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/$HIL_RESULTS
camera_up
gpio_up
sound_up
disk_up
registry_up
kiosk_toml /etc/munjigi/kiosk.toml
soak() {
  "$bin/rig" -crowd -soak $data -format $HIL_FORMAT -size $HIL_SIZE -fps $HIL_FPS -key "$key" -log "$results/kiosk.log" "$@" -- "$bin/kiosk" run | grep -v "^HIL"
}
set -o pipefail
few=$(soak -visitors 10 | sed -n 's/^goroutines //p')
soak -visitors "$HIL_VISITORS" -goroutines "$few"
