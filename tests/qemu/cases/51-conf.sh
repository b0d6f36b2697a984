# The configuration file by the init script: reloaded; a bad one refused while the daemon goes on. A second xvmsgd; the script's status.
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
	for dir in /run/xen-virtio-msg /run/lab/other; do
		xvmsgd --run-dir $dir > /run/lab/said 2>&1 && fail "a second xvmsgd in $dir"
		cat /run/lab/said
		[ "$(wc -l < /run/lab/said)" = 1 ] && grep -qE "already running, process $pid|another xvmsgd serves this domain" /run/lab/said || fail "a second xvmsgd in $dir: no reason"
	done
	[ "$(xvmsgd_pid)" = "$pid" ] && /etc/init.d/xvmsgd status || fail "it does not run any more"
	must "restart" /etc/init.d/xvmsgd restart
	[ "$(xvmsgd_pid)" != "$pid" ] || fail "it is the same process"
	pid=$(xvmsgd_pid)
	kill -9 $pid
	wait_until 5 sh -c "! kill -0 $pid" || fail "$pid does not die"
	/etc/init.d/xvmsgd status; [ $? = 1 ] || fail "status of one that died is not 1"
	/etc/init.d/xvmsgd reload; [ $? = 7 ] || fail "reload of one that died is not 7"
	must "start" /etc/init.d/xvmsgd start
	must "stop" /etc/init.d/xvmsgd stop
	/etc/init.d/xvmsgd status; [ $? = 3 ] || fail "status of one that was stopped is not 3"
	must "start again" /etc/init.d/xvmsgd start
}
