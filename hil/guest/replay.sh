# The daemon before a crowd, on a disk whose writes and flushes are recorded
# (dm-log-writes); then the record is cut at random places. By the guest's clock.
HIL_FORMAT=YUYV HIL_SIZE=640x480 HIL_FPS=30
. "$HIL_REPO/hil/guest/lib.sh"
results=$HIL_OUT/$HIL_RESULTS
ram=/run/hil
mkdir -p $ram $data /run/mount
mount -t hostfs none -o "$HIL_DISK" /mnt
cp /mnt/disk.img $ram/base.img
cp /mnt/disk.img $ram/disk.img
truncate -s 512M $ram/log
disk=$(losetup -f --show $ram/disk.img)
log=$(losetup -f --show $ram/log)
PATH=$PATH:/usr/sbin:/sbin
dmsetup create recorded --table "0 $(blockdev --getsz "$disk") log-writes $disk $log"
dmsetup mknodes recorded
mount /dev/mapper/recorded $data
camera_up
sound_up
registry_up
kiosk_toml /etc/munjigi/kiosk.toml
sed -i '/^\[gpio\]/,$d' /etc/munjigi/kiosk.toml
"$bin/kiosk" run >"$results/kiosk.log" 2>&1 &
kiosk=$!
until [ -e $data/enrolment.cbor ]; do sleep 0.1; done
kill -TERM $kiosk
wait $kiosk
# Without a registry all visits stay in the journal.
pkill -x registry
dmsetup message recorded 0 mark enrolled
unsynced=
[ "${HIL_UNSYNCED:-}" = 1 ] && unsynced="$bin/powercut unsynced --"
# shellcheck disable=SC2086 # words are wanted
"$bin/rig" -crowd -visitors "$HIL_VISITORS" -mark recorded -format $HIL_FORMAT -size $HIL_SIZE -fps $HIL_FPS -key "$key" -log "$results/kiosk.log" \
  -- $unsynced "$bin/kiosk" run >"$results/crowd.log"
grep -c 'HIL told' "$results/crowd.log"
umount $data
dmsetup remove recorded
"$bin/powercut" replay -n "$HIL_CUTS" ${HIL_UNSYNCED:+-unsynced} -base $ram/base.img -log $ram/log -device "$disk" -mount /run/mount
