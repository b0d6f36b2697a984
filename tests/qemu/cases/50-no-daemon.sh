# Without xvmsgd, xl create fails and leaves nothing; with it again, guests start again.
CASE_LIMIT=150
CASE_RESTARTS=1
case_main()
{
	need_daemon
	guest_file nod pv disk="$(disk_entry $(fresh nod))"
	must "stop" xvmsgd_stop
	wait_until 5 sh -c '! pidof xvmsgd >/dev/null' || fail "xvmsgd is still there"
	guest_create nod && fail "xl create succeeded"
	guest_gone nod || fail "the domain is still there"
	must "start" xvmsgd_start
	must "guest start" guest_start nod
	in_guest nod 30 'mount_disk && check_sums'
	must "power off" guest_off nod
}
