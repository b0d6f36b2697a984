# A LIO target of dom0's kernel for vhost-scsi; sourced by cases. Store N is LUN N.
lio=/sys/kernel/config/target
wwpn=naa.5001405000000078
tpg=$lio/vhost/$wwpn/tpgt_1

# backstore NAME FILE: a file as a store of LIO's.
backstore()
{
	mkdir -p $lio/core/fileio_0/$1 || fail "no store $1"
	echo fd_dev_name=$2,fd_dev_size=$(stat -c %s $2),fd_buffered_io=1 > $lio/core/fileio_0/$1/control
	echo 1 > $lio/core/fileio_0/$1/enable
}

# lun NUMBER STORE
lun() { mkdir -p $tpg/lun/lun_$1 && ln -s $lio/core/fileio_0/$2 $tpg/lun/lun_$1/store || fail "no LUN $1"; }

# target_up NAME: a target with one LUN, a fresh image.
target_up()
{
	modprobe -a vhost_scsi target_core_file || skip "dom0's kernel has no vhost_scsi"
	grep -q " /sys/kernel/config " /proc/mounts || mount -t configfs configfs /sys/kernel/config || fail "no configfs"
	mkdir -p $tpg || fail "no target"
	backstore s0 $(fresh $1)
	lun 0 s0
	echo naa.5001405000000079 > $tpg/nexus || fail "no nexus"
}

# target_down LUN...: what was made is taken away; nothing may hold it.
target_down()
{
	for td; do rm $tpg/lun/lun_$td/store; done
	echo NULL > $tpg/nexus || fail "the target is still in use"
	for td; do rmdir $tpg/lun/lun_$td $lio/core/fileio_0/s$td || fail "LUN $td is still in use"; done
	rmdir $tpg $lio/vhost/$wwpn || fail "the target is still in use"
}
