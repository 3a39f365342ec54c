# What goes wrong at a door, under the real unit, with a registry beyond a
# network of its own and a data partition on the device mapper.
HIL_ADDRESS=https://registry.hil:8082
. "$HIL_REPO/hil/guest/unit.sh"

before() {
  local loop
  mkdir -p $data
  mount -t hostfs none -o "$HIL_DISK" /mnt
  loop=$(losetup -f --show /mnt/disk.img)
  echo "$loop" >/etc/hil-loop
  PATH=$PATH:/usr/sbin:/sbin dmsetup create data --table "0 $(/sbin/blockdev --getsz "$loop") linear $loop 0"
  PATH=$PATH:/usr/sbin:/sbin dmsetup mknodes data
  mount /dev/mapper/data $data
  echo "10.9.0.2 registry.hil" >>/etc/hosts
}

# street: the registry's side of the network.
street() {
  ip netns add street
  ip link add door type veth peer name yard
  ip link set yard netns street
  ip addr add 10.9.0.1/24 dev door
  ip link set door up
  ip -n street link set lo up
  ip -n street addr add 10.9.0.2/24 dev yard
  ip -n street addr add 10.9.0.3/24 dev yard
  ip -n street link set yard up
  # Not at each address there, one of which is the liar's.
  sed -i 's/^listen = .*/listen = "10.9.0.2:8082"/' $home/registry/registry.toml
  cat >/run/systemd/system/hil-registry.service <<END
[Service]
NetworkNamespacePath=/run/netns/street
ExecStart=$bin/registry serve -config $home/registry/registry.toml
Restart=always
RestartSec=1
StandardError=append:$results/registry.log
END
  systemctl daemon-reload
  systemctl start hil-registry
}

check() {
  local status=0
  dmesg -n 1 # what the kernel says of faults is no news
  street
  "$bin/rig" -synchronised
  until_ok 30 active || fail "READY=1" "$(show StatusText) $(journalctl -n 5 -o cat -u $unit)"
  journalctl -q -o cat -f -n all -u $unit >"$results/kiosk.log" &
  HIL_LOOP=$(cat /etc/hil-loop) HIL_BIN=$bin rig -faults "$HIL_FAULTS" -script "$HIL_REPO/hil/guest/fault.sh" -log "$results/kiosk.log" -gpio "$pins" \
    -screen "/dev/fb0:$(tr , x </sys/class/graphics/fb0/virtual_size)" || status=$?
  say "restarts by the unit itself" "$(show NRestarts)"
  return $status
}

"$1"
