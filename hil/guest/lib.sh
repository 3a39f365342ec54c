# What the tiers share inside the guest.
set -eu
bin=$HIL_REPO/.cache/hil/bin
home=/srv/hil # keys, registry
data=/var/lib/munjigi

# The camera: what is written to /dev/video20 is read from it.
camera_up() {
  insmod "$HIL_MODULES/v4l2loopback.ko" video_nr=20 exclusive_caps=1 card_label=door
}

# The lines of a Raspberry Pi that we use, by their names there. $pins tells
# the rig where each can be seen from outside, and $drives where those that the
# kiosk listens to are driven. With HIL_LINES the kiosk has all of them.
gpio_up() {
  mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
  local sim=/sys/kernel/config/gpio-sim/hil line chip
  for line in 5 6 13 17 22 23 24 27; do
    mkdir -p $sim/bank0/line$line
    echo GPIO$line >$sim/bank0/line$line/name
  done
  echo 28 >$sim/bank0/num_lines
  echo pinctrl-bcm2835 >$sim/bank0/label
  echo 1 >$sim/live
  chip=/sys/devices/platform/$(cat $sim/dev_name)/$(cat $sim/bank0/chip_name)
  pins=green=$chip/sim_gpio17/value,red=$chip/sim_gpio27/value,door=$chip/sim_gpio22/value drives=
  [ -z "${HIL_LINES:-}" ] && return
  pins=$pins,buzzer=$chip/sim_gpio23/value
  drives=staff=$chip/sim_gpio5/pull,help=$chip/sim_gpio6/pull,presence=$chip/sim_gpio13/pull,interlock=$chip/sim_gpio24/pull
}

# The system's loudspeaker is one side of the loopback card; the rig records
# the other.
sound_up() {
  cat >/etc/asound.conf <<'END'
pcm.!default { type plug slave.pcm "hw:Loopback,0,0" }
ctl.!default { type hw card Loopback }
END
}

# A disk that is synced to the machine's own. With a clock of its own the guest
# gets it through a loop device: the kernel then waits for the machine's disk, and
# the clock with it, while a virtual disk answers after the clock has run on.
disk_up() {
  mkdir -p $data
  if [ "$HIL_CLOCK" = own ]; then
    mount -t hostfs none -o "$HIL_DISK" /mnt
    mount -n -o loop /mnt/disk.img $data
  else
    mount /dev/ubda $data
  fi
}

# A registry with a facility and the issuers' keys, on loopback. Sets $code, by
# which the kiosk enrols itself when it runs.
registry_up() {
  mkdir -p $home
  local registry="$bin/registry" config=$home/registry/registry.toml
  "$bin/issuer" init $home/issuer >$home/issuers.toml 2>/dev/null
  "$registry" init ${HIL_ADDRESS:+-address "$HIL_ADDRESS"} $home/registry >/dev/null
  cat >>$config $home/issuers.toml
  "$registry" bundle -config $config
  code=$("$registry" kiosk code -config $config -facility "$("$registry" facility add -config $config -name hil -kind restaurant 2>/dev/null)" |
    sed -n "s/.*kiosk enroll '\(.*\)'.*/\1/p")
  registry_serve
  key=$(find $home/issuer -name '*kko*.key')
}

registry_serve() {
  "$bin/registry" serve -config $home/registry/registry.toml >"$results/registry.log" 2>&1 &
}

# kiosk_toml FILE: the kiosk's configuration. The clock keeps its default,
# "refuse" unless sure: the guest's kernel sets its time from its battery clock
# (rtc-test, which reads this machine's), and the kiosk finds that by itself.
kiosk_toml() {
  mkdir -p "$(dirname "$1")"
  cat >"$1" <<END
data = "$data"
[registry]
code = "$code"
[camera]
source = "/dev/video20"
width = ${HIL_SIZE%x*}
height = ${HIL_SIZE#*x}
fps = $HIL_FPS
[gpio]
green = "GPIO17"
red = "GPIO27"
door = "GPIO22"
lamp_time = "1500ms"
door_time = "1s"
END
  [ -z "${HIL_LINES:-}" ] || cat >>"$1" <<'END'
buzzer = "GPIO23"
interlock = "GPIO24"
staff_button = "GPIO5"
help_button = "GPIO6"
presence = "GPIO13"
END
}

# rig ARGUMENTS…: the visitor, the microphone, the eye and the judge.
rig() {
  local exact=false
  [ "$HIL_CLOCK" = own ] && exact=true
  "$bin/rig" -exact=$exact -format "$HIL_FORMAT" -size "$HIL_SIZE" -fps "$HIL_FPS" -scale "${HIL_SCALE:-0}" -key "$key" \
    -db $home/registry/registry.db -prompts "$HIL_OUT/prompts" -out "$results" "$@"
}
