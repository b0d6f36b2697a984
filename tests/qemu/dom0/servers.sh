# Debian's unmodified vhost-user servers; sourced by cases. What runs is the loader: they bring libraries of their own.
dir=/data/servers
run="$dir/ld.so --library-path $dir $dir"
need_servers() { [ -x $dir/qemu-storage-daemon ] && [ -x $dir/virtiofsd ] || skip "this lab has no qemu-system-common"; }
# disk_command IMAGE ADDRESS: the words that start qemu-storage-daemon.
disk_command() { echo "$run/qemu-storage-daemon --blockdev driver=file,node-name=d,filename=$1 --export type=vhost-user-blk,id=e,node-name=d,writable=on,$2"; }
# disk_server IMAGE SOCKET: one that xvmsgd finds, $disk_server.
disk_server()
{
	rm -f $2
	$(disk_command $1 addr.type=unix,addr.path=$2) &
	disk_server=$!
	must "a socket" wait_until 20 test -S $2
}
