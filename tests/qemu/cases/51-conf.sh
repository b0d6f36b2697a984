# The configuration file by the init script: reloaded; a bad one refused while the daemon goes on.
CASE_RESTARTS=1
case_main()
{
	need_daemon
	conf=/etc/xen-virtio-msg/xvmsgd.conf
	cp $conf /run/lab/conf
	trap 'cp /run/lab/conf $conf' EXIT
	pid=$(xvmsgd_pid)
	printf 'pages-total = 50000\nuid-base = 200000\n' >> $conf
	must "reload" /etc/init.d/xvmsgd reload
	must "the change is told" wait_until 5 sh -c 'grep -q "pages-total was 65536, is 50000" /var/log/xvmsgd.log'
	must "what waits is told" wait_until 5 sh -c 'grep -q "uid-base stays 131072; 200000 waits" /var/log/xvmsgd.log'
	echo 'ring-order = 77' >> $conf
	for what in reload restart; do
		/etc/init.d/xvmsgd $what > /run/lab/said 2>&1 && fail "$what with a bad file"
		cat /run/lab/said
		grep -q "$conf:[0-9]*: ring-order = 77: give a number from 0 to " /run/lab/said || fail "no reason was given"
		[ "$(xvmsgd_pid)" = "$pid" ] || fail "xvmsgd was $pid, is $(xvmsgd_pid)"
	done
	cp /run/lab/conf $conf
	must "restart" /etc/init.d/xvmsgd restart
	[ "$(xvmsgd_pid)" != "$pid" ] || fail "it is the same process"
}
