# What the console cases share; sourced by them.
con_pty() { xvmsg show $1 con | awk -v p="$2" 'p == "" && $1 == "pty" { print $2 } $1 == "port" && $2 == p { print $3 }'; }
con_step() { echo "# $1: $(since $con_t) s"; con_t=$(now); }
# con_wait FILE BYTES: until a reader has put that many there.
con_wait() { wait_until 60 sh -c "[ \$(stat -c %s $1) -ge $2 ]" || fail "$1: $(stat -c %s $1) bytes came, not $2"; }
# con_reader PTY FILE: reads until con_reader_end.
con_reader() { cat $1 > $2 & con_pid=$!; }
con_reader_end() { kill $con_pid; wait $con_pid 2>/dev/null; }

con_shell()
{
	in_guest con 20 'stty raw -echo < $(cat /run/con); setsid sh -c "exec sh < $(cat /run/con) > $(cat /run/con) 2>&1" & true'
	# xvmsg console, with what it reads.
	echo 'echo by-$((20+3))' | xvmsg console con con > /run/lab/xvmsg.console 2>&1 & con_pid=$!
	wait_until 20 grep -q by-23 /run/lab/xvmsg.console || { cat /run/lab/xvmsg.console; fail "the shell does not answer xvmsg console"; }
	con_reader_end
	con_reader $(con_pty con) /run/lab/shell
	echo 'echo answer-$((6*7)); cat /sys/class/tty/$(basename $(cat /run/con))/uevent; echo the-$((1+1))nd; exit' > $(con_pty con)
	wait_until 20 grep -q the-2nd /run/lab/shell && grep -q answer-42 /run/lab/shell || { cat /run/lab/shell; fail "the shell does not answer"; }
	sleep 1	# what it says at its end is not part of what comes next
	con_reader_end
}

# A console's settings end with its last close. 4 KiB each way: hvc writes 16 bytes at a time, and waits for each.
con_bytes()
{
	in_guest con 20 'dd if=/dev/urandom of=/run/blob bs=1k count=4 2>/dev/null'
	con_reader $(con_pty con) /run/lab/out
	in_guest con 120 'sh -c "stty raw -echo; cat /run/blob" < $(cat /run/con) > $(cat /run/con); sha256sum < /run/blob | sed "s/^/SUM /"'
	con_wait /run/lab/out 4096
	con_reader_end
	guest_says con "SUM $(sha256sum < /run/lab/out)" || fail "what came out of the console is not what went in"
	con_add /run/lab/out
	dd if=/dev/urandom of=/run/lab/in bs=1k count=4 2>/dev/null
	in_guest con 10 '(sh -c "stty raw -echo; dd of=/run/got bs=1k count=4096 iflag=count_bytes,fullblock" < $(cat /run/con) 2>/dev/null; sha256sum < /run/got | sed "s/^/IN /" > /run/in.sum) > /dev/null 2>&1 & sleep 1'
	cat /run/lab/in > $(con_pty con)
	in_guest con 120 'wait_until 100 test -s /run/in.sum; cat /run/in.sum; true'
	guest_says con "IN $(sha256sum < /run/lab/in)" || fail "what went into the console is not what came out"
	con_add /run/lab/in
}

# Words that xvmsg console has put into the named port and read from it.
con_by_xvmsg()
{
	in_guest con 10 '(read -r word < $(cat /run/port); echo got-$word > $(cat /run/port)) > /dev/null 2>&1 & true'
	echo word-$((7*6)) | xvmsg console con con agent > /run/lab/xvmsg.port 2>&1 & con_pid=$!
	wait_until 20 grep -q got-word-42 /run/lab/xvmsg.port || { cat /run/lab/xvmsg.port; fail "nothing came back by xvmsg console ... agent"; }
	con_reader_end
}

# The bytes of what was compared.
con_add() { con_bytes=$((con_bytes + $(stat -c %s $1))); }

# A MiB out of the named port, more than fits the first area, and a quarter into it.
con_port()
{
	con_reader $(con_pty con agent) /run/lab/out
	in_guest con 90 'dd if=/dev/urandom of=/run/blob bs=64k count=16 2>/dev/null; cat /run/blob > $(cat /run/port); sha256sum < /run/blob | sed "s/^/PORT /"'
	con_wait /run/lab/out 1048576
	con_reader_end
	guest_says con "PORT $(sha256sum < /run/lab/out)" || fail "what came out of the port is not what went in"
	con_add /run/lab/out
	in_guest con 10 '(dd if=$(cat /run/port) of=/run/got bs=4k count=262144 iflag=count_bytes,fullblock 2>/dev/null; sha256sum < /run/got | sed "s/^/BACK /" > /run/back.sum) > /dev/null 2>&1 & sleep 1'
	head -c 262144 /run/lab/out > /run/lab/in
	cat /run/lab/in > $(con_pty con agent)
	in_guest con 90 'wait_until 80 test -s /run/back.sum; cat /run/back.sum'
	guest_says con "BACK $(sha256sum < /run/lab/in)" || fail "what went into the port is not what came out"
	con_add /run/lab/in
}

# Numbered lines without end, and the worker dies twice: of them at most a chunk is lost each time, and none comes twice. By the port:
# Linux waits for a console's output with interrupts off, and a processor that does so cannot connect again.
con_kill()
{
	con_reader $(con_pty con agent) /run/lab/lines
	in_guest con 10 '(i=100000; while [ ! -e /run/end ]; do echo line-$i; i=$((i+1)); done > $(cat /run/port)) > /dev/null 2>&1 & true'
	for con_i in 1 2 3; do
		con_wait /run/lab/lines $(($(stat -c %s /run/lab/lines) + 600))
		[ $con_i = 3 ] || kill -9 $(pidof xvmsg-worker)
	done
	in_guest con 20 'touch /run/end; sleep 1'
	con_reader_end
	grep -ac '^line-......$' /run/lab/lines > /run/lab/whole
	grep -a '^line-......$' /run/lab/lines | sort | uniq -d > /run/lab/twice
	[ ! -s /run/lab/twice ] || { head -3 /run/lab/twice; fail "lines came twice"; }
	con_last=$(grep -a '^line-......$' /run/lab/lines | tail -1); con_last=${con_last#line-}
	con_lost=$((con_last - 100000 + 1 - $(cat /run/lab/whole)))
	echo "# worker killed twice under output: $(cat /run/lab/whole) lines whole, $con_lost not"
	[ $con_lost -le 8 ] || fail "$con_lost lines were lost"
}

# console_case TYPE DIALECT
console_case()
{
	# The emulated processor loses a PVH guest of two processors too often.
	guest_file con $1 vcpus=$([ $1 = pvh ] && echo 1 || echo 2)
	must "guest start" guest_start con
	must "attach" xvmsg attach con type=console,name=con,ports=agent,log=/run/lab/con.log
	in_guest con 30 "modprobe -a virtio_ring virtio virtio_console && modprobe xen-virtio-msg dialect=$2"
	in_guest con 20 'wait_until 15 find_console'
	in_guest con 10 "dmesg | grep 'connected: dialect' | tail -1 | grep -q 'dialect $2,'"
	con_t=$(now) con_bytes=0
	con_shell; con_step shell
	con_bytes; con_step "4 KiB each way"
	con_by_xvmsg
	con_port; con_step "the named port"
	grep -q answer-42 /run/lab/con.log || fail "the log has not what was said"
	con_kill; con_step "two dead workers"
	must "detach" xvmsg detach con con
	in_guest con 10 'wait_until 8 sh -c "! ls /sys/class/virtio-ports/vport*p1"'
	must "power off" guest_off con
	device_row console own $1 "$(dialect_of con)" "a shell, bytes both ways by the console and by a named port, the log, a worker killed twice under output" $con_bytes
}
