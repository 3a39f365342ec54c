# U-Boot: picks root A or B by the state that two checksummed copies keep, and
# starts its kernel. cmd/internal/slot/FORMAT.md says what the copies hold, and
# why a cut at any moment leaves one of them whole.
#
# devtype and devnum are where this script was found: mmc on a Raspberry Pi,
# virtio in an emulator.
setenv a ${ramdisk_addr_r}
setexpr b ${a} + 1000
${devtype} dev ${devnum}
${devtype} read ${a} 2000 8
${devtype} read ${b} 4000 8

setenv seq ''; setenv one ''; setenv two ''
if env import -c ${a} 1000 seq; then setenv one ${seq}; fi
setenv seq ''
if env import -c ${b} 1000 seq; then setenv two ${seq}; fi

# The newer copy counts: its number follows the other's, round 0, 1, 2.
setenv newest none
if test -n "${one}"; then setenv newest 1; fi
if test -n "${two}"; then
  if test -z "${one}"; then setenv newest 2; fi
  if test "${one}${two}" = 01 || test "${one}${two}" = 12 || test "${one}${two}" = 20; then setenv newest 2; fi
fi
setenv seq 0; setenv primary A; setenv left_A 9; setenv left_B 0
if test ${newest} = 1; then env import -c ${a} 1000 seq primary left_A left_B; fi
if test ${newest} = 2; then env import -c ${b} 1000 seq primary left_A left_B; fi

setenv slot ${primary}
setenv other B
if test ${slot} = B; then setenv other A; fi
if test ${slot} = A; then setenv left ${left_A}; else setenv left ${left_B}; fi
if test ${left} = 0; then
  setenv slot ${other}
  if test ${slot} = A; then setenv other B; setenv left ${left_A}; else setenv other A; setenv left ${left_B}; fi
fi

# A root on trial: one try less is written down before it starts, into the older copy.
setenv less ''
if test ${left} = 3; then setenv less 2; fi
if test ${left} = 2; then setenv less 1; fi
if test ${left} = 1; then setenv less 0; fi
if test -n "${less}"; then
  setenv left_${slot} ${less}
  if test ${seq} = 0; then setenv seq 1; elif test ${seq} = 1; then setenv seq 2; else setenv seq 0; fi
  if env export -c -s 1000 ${a} seq primary left_A left_B; then
    if test ${newest} = 1; then ${devtype} write ${a} 4000 8; else ${devtype} write ${a} 2000 8; fi
  fi
fi

# What a technician adds to the kernel's command line.
setenv extra ''
if load ${devtype} ${devnum}:1 ${a} munjigi/kernel.txt; then env import -t ${a} ${filesize} extra; fi

for s in ${slot} ${other}; do
  if test ${s} = A; then setenv part 2; else setenv part 3; fi
  if load ${devtype} ${devnum}:${part} ${kernel_addr_r} /boot/vmlinuz; then
    if load ${devtype} ${devnum}:${part} ${ramdisk_addr_r} /boot/initrd.img; then
      setenv bootargs "munjigi.part=${part} rauc.slot=${s} ro quiet loglevel=0 systemd.show_status=0 rd.udev.log_level=0 systemd.volatile=state vt.global_cursor_default=0 logo.nologo consoleblank=0 panic=5 fsck.repair=yes fsck.mode=auto ${extra}"
      booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}
    fi
  fi
done
# Neither starts: the firmware may do better the next time.
reset
