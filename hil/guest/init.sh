#!/bin/bash
# PID 1 of the guest: a throw-away overlay over the machine's root, in which
# guest/$HIL_TIER.sh runs. Only $HIL_OUT is written through.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay $root
mount -t proc proc $root/proc
mount -t sysfs sys $root/sys
mount -t devtmpfs dev $root/dev
mkdir -p $root/dev/pts $root/dev/shm "$root$HIL_OUT"
mount -t devpts devpts $root/dev/pts
mount -t tmpfs tmpfs $root/dev/shm
mount -t tmpfs tmpfs $root/run
mount -t hostfs none -o "$HIL_OUT" "$root$HIL_OUT"
chroot $root ip link set lo up

if [ "$HIL_TIER" = systemd ] || [ "$HIL_TIER" = faults ]; then
  export container=
  # Not a chroot: the kernel gives none of its processes a user namespace (PrivateUsers=).
  cd $root && pivot_root . mnt
  exec chroot . bash "$HIL_REPO/hil/guest/$HIL_TIER.sh" prepare
fi
chroot $root bash "$HIL_REPO/hil/guest/$HIL_TIER.sh"
status=$?
sync
echo "HIL-EXIT $status"
exec busybox poweroff -f
