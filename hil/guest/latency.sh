# From the first picture with a whole code, written to the camera, to the first
# audible sample at the far end of the sound card, and the first changed pixel.
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/latency
camera_up
gpio_up
sound_up
disk_up
registry_up
kiosk_toml /etc/munjigi/kiosk.toml
(sleep 20; echo "sound device:" $(grep -E "rate|size" /proc/asound/Loopback/pcm0p/sub0/hw_params)) &
rig -bench "$HIL_VISITORS" -log "$results/kiosk.log" -screen "/dev/fb0:$(tr , x </sys/class/graphics/fb0/virtual_size)" -- "$bin/kiosk" run
