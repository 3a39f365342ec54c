# The daemon on the guest's own devices, one camera format and size a boot.
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/$HIL_RESULTS
camera_up
gpio_up
sound_up
disk_up
registry_up
kiosk_toml /etc/munjigi/kiosk.toml
plan=expired,good,again,forged,vaccinated,stranger,early,newer,menu
[ -z "$drives" ] || plan=$plan,staff,help,presence,held
rig -plan $plan -log "$results/kiosk.log" -gpio "$pins" -drive "$drives" -screen "/dev/fb0:$(tr , x </sys/class/graphics/fb0/virtual_size)" -- "$bin/kiosk" run
sox "$results/heard.wav" -n stat 2>&1 | grep -E 'Length|Maximum amp|RMS     amp'
