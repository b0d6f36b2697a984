# Vhost-user servers that lie, beside a disk under verified I/O: each costs its own device, with a line that says why, and nothing else.
CASE_LIMIT=120
# A disk whose server lies and does not come back is an I/O error, and that is the point.
CASE_ALLOW='I/O error'
sock=/run/lab/vhost.sock
serve()
{
	rm -f $sock
	xvm-vhost-server --socket $sock --image $IMG/case-lie.img "$@" >> /run/lab/vhost.log 2>&1 &
	server=$!
	must "a socket" wait_until 10 test -S $sock
}
stop_server() { kill -9 $server 2>/dev/null; wait $server 2>/dev/null; }
gone() { ! xvmsg show vl lie >/dev/null 2>&1; }
said() { daemon_log | tail -n +$said_from | grep -q "$1"; }
spec() { echo type=vhost-user,device=disk,name=lie$1,socket=$sock; }

# never AT LIE WORD: it lies before the guest hears of it, and the reason has WORD.
never()
{
	said_from=$(daemon_log | wc -l)
	serve --at $1 --do $2
	xvmsg attach vl $(spec) --wait=20 > /run/lab/no 2>&1 && fail "attached, with $2 at $1"
	must "a line with '$3' for $2 at $1" wait_until 5 said "$3"
	stop_server
	gone || must "detach what failed" xvmsg detach vl lie --force
}

# later AT LIE WORD: it lies when the guest uses it.
later()
{
	said_from=$(daemon_log | wc -l)
	serve --at $1 --do $2 --after 3
	must "attach, $2 at $1" xvmsg attach vl $(spec ,trusted) --wait=30
	in_guest vl 20 'wait_until 10 [ -b /dev/vdc ] && { (dd if=/dev/vdc of=/dev/null bs=8k iflag=direct count=16; echo x > /run/dd) >/dev/null 2>&1 & }'
	must "a line with '$3' for $2 at $1" wait_until 15 said "$3"
	stop_server
	must "forced detach" xvmsg detach vl lie --force
	in_guest vl 30 'wait_until 20 [ ! -e /sys/block/vdc ] && wait_until 5 [ ! -e /dev/vdc ] && wait_until 20 test -e /run/dd; rm -f /run/dd'
}

case_main()
{
	need_daemon
	img=$(fresh vl)
	truncate -s 1M $IMG/case-lie.img
	guest_file vl pv disk="$(disk_entry $img)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start vl
	io_loop vl
	never GET_FEATURES garbage 'longer than any'
	never GET_FEATURES fds 'descriptors that nobody asked for'
	never GET_CONFIG die 'closed the connection'
	never GET_PROTOCOL_FEATURES hang 'not answered within 10 s'
	later used unknown 'a request that it did not have'
	later used long 'more than there was room for'
	later used noise 'its server is lost'
	later request die 'closed the connection'
	io_loop_end vl
	in_guest vl 20 'umount /mnt && umount /run/t'
	must "power off" guest_off vl
	fsck_clean $img
	rm -f $IMG/case-lie.img
	echo "# 8 lies, each seen and said; the disk beside them had no error"
}
