# Guests: their files, creation, console, commands run inside, destruction. Sourced by lib.sh. A guest is known by its name.
# Owns /root/guests/*.cfg and /run/lab.
mkdir -p /run/lab /root/guests

# disk_entry FILE [rw|ro] [VDEV]: an entry of xl's disk list.
disk_entry()
{
	if [ -n "$LAB_standin" ]; then
		echo "format=raw,vdev=${3:-xvda},access=${2:-rw},backendtype=phy,script=/lab/standin-block,target=$1"
	else
		echo "format=raw,vdev=${3:-xvda},access=${2:-rw},specification=virtio,backendtype=standalone,target=$1"
	fi
}

# The types of guests this machine has. Arm has one, which xl calls pvh.
on_arm() { [ "$(uname -m)" = aarch64 ]; }
guest_types() { on_arm && echo pvh || echo pv pvh; }

# Processors for a guest that is to have several: the emulated processor loses a PVH guest of two too often.
several() { [ $1 = pvh ] && ! on_arm && echo 1 || echo 2; }

# guest_file NAME TYPE(pv|pvh) [vcpus=N] [mem=MB] [job=NAME] [extra=ARGS] [on_reboot=WHAT] [disk=ENTRY]...
guest_file()
{
	gf_name=$1 gf_type=$2; shift 2
	gf_vcpus=1 gf_mem=256 gf_job=agent gf_extra= gf_reboot=restart gf_disks=
	for gf_a; do
		case $gf_a in
		vcpus=*) gf_vcpus=${gf_a#*=} ;;
		mem=*) gf_mem=${gf_a#*=} ;;
		job=*) gf_job=${gf_a#*=} ;;
		extra=*) gf_extra=${gf_a#*=} ;;
		on_reboot=*) gf_reboot=${gf_a#*=} ;;
		disk=*) gf_disks="$gf_disks${gf_disks:+, }\"${gf_a#*=}\"" ;;
		*) echo "guest_file: $gf_a?"; return 1 ;;
		esac
	done
	# Under QEMU's emulated SVM a write to CR4 that toggles PGE, which is how Linux flushes global pages, now and then ends in
	# a triple fault. Without PGE it flushes by CR3.
	if on_arm; then gf_type=pvh; elif [ $gf_type = pvh ]; then gf_extra="clearcpuid=pge $gf_extra"; fi
	cat > /root/guests/$gf_name.cfg <<END
name = "$gf_name"
type = "$gf_type"
kernel = "/lab/vmlinux"
ramdisk = "/lab/guest.cpio"
extra = "console=hvc0 quiet panic=1 nokaslr job=$gf_job slow=$SLOW ${LAB_standin:+standin} $gf_extra"
memory = $gf_mem
vcpus = $gf_vcpus
on_reboot = "$gf_reboot"
on_crash = "destroy"
disk = [ $gf_disks ]
END
}

guest_log() { echo /var/log/xen/console/guest-$1.log; }
guest_id() { xl domid "$1" 2>/dev/null; }
guest_gone() { ! guest_id "$1" >/dev/null; }
# guest_create NAME: plain xl create; its output is kept for the account of a failure. The console log starts anew.
guest_create()
{
	: > "$(guest_log $1)"
	rm -f /run/lab/$1.seq
	xl create /root/guests/$1.cfg > /run/lab/$1.create 2>&1
	gc_rc=$?
	guest_id $1 > /run/lab/$1.domid
	sed 's/^/xl create: /' /run/lab/$1.create >> $OUT/xl.log
	return $gc_rc
}
# Has Xen reported the triple fault described above? Then the report is put aside.
fault_reported() { xl dmesg | grep -q 'Triple fault' && xl dmesg -c >> $OUT/xl-dmesg.log; }
# emulator_fault NAME: did the guest die of that before its first line? Then it is started once more: by xl itself, as far as it
# was told to (two who create one name get in each other's way), else here.
started_again() { sa_id=$(guest_id $1) && [ $sa_id != "$(cat /run/lab/$1.domid)" ] && echo $sa_id > /run/lab/$1.domid; }
emulator_fault()
{
	guest_says $1 'GUEST: ready' && return 1
	fault_reported || return 1
	say "(the emulated CPU faulted before the guest was up: once more)"
	if grep -q 'on_reboot = "restart"' /root/guests/$1.cfg; then wait_until 30 started_again $1
	else wait_until 10 guest_gone $1 && guest_create $1; fi
}
# The same, seen after the fact: xl has started the guest again by itself, and it is up.
restarted_by_xl()
{
	fault_reported || return 0
	say "(the emulated CPU faulted before the guest was up: xl started it again)"
}
# guest_start NAME [SECONDS]: created, and its agent or job runs.
guest_start()
{
	guest_create $1 || { cat /run/lab/$1.create; return 1; }
	for gs_try in 1 2 3 4 5 6; do
		guest_wait $1 'GUEST: ready' ${2:-60} && { restarted_by_xl; return 0; }
		emulator_fault $1 || break
	done
	echo "guest $1 did not come up"; guest_tail $1; return 1
}

guest_says() { grep -aq -- "$2" "$(guest_log $1)"; }
# guest_wait NAME TEXT SECONDS: until the console has shown TEXT. 1 when time is up or the guest is gone.
guest_wait()
{
	seconds
	gw_end=$((se_up + $3 * SLOW)) gw_n=0
	while ! guest_says $1 "$2"; do
		gw_n=$((gw_n + 1))
		[ $((gw_n % 8)) = 0 ] && guest_gone $1 && { usleep 300000; guest_says $1 "$2"; return; }	# xl is a large program
		seconds
		[ $se_up -lt $gw_end ] || return 1
		usleep 200000
	done
}
guest_tail() { tail -n ${2:-15} "$(guest_log $1)" | sed "s/^/  $1| /"; }

# guest_send NAME COMMAND: gives one line to the guest's agent, by its console.
guest_send()
{
	gs_tty=$(xenstore-read /local/domain/$(guest_id $1)/console/tty) || return 1
	gs_seq=$(( $(cat /run/lab/$1.seq 2>/dev/null || echo 0) + 1 ))
	echo $gs_seq > /run/lab/$1.seq
	echo "$gs_seq $2" > $gs_tty
}
# guest_run NAME SECONDS COMMAND: runs it in the guest, waits for its end, returns its status; 124 when time is up.
guest_run()
{
	guest_send $1 "$3" || { echo "guest $1 is not there"; return 125; }
	guest_wait $1 "GUEST: done $gs_seq " $2 || { echo "guest $1: no answer in $2 s to: $3"; guest_tail $1; return 124; }
	gr_rc=$(sed -n "s/.*GUEST: done $gs_seq rc=\([0-9]*\).*/\1/p" "$(guest_log $1)" | tail -1)
	return ${gr_rc:-126}
}

# quickly SECONDS WHAT COMMAND...: fails when the command does, or when it took longer. Catches libxl's 10 s time-outs.
quickly()
{
	q_max=$(($1 * SLOW)) q_what=$2 q_t=$(now); shift 2
	"$@"
	q_rc=$? q_s=$(since $q_t)
	echo "# $q_what took $q_s s"
	[ $q_rc = 0 ] || { echo "$q_what failed ($q_rc)"; return 1; }
	awk -v s=$q_s -v m=$q_max 'BEGIN { exit s > m }' || { echo "$q_what took $q_s s, more than $q_max s"; return 1; }
}
# guest_off NAME: the guest powers off by itself.
guest_off() { guest_send $1 stop; wait_until ${2:-15} guest_gone $1 || { echo "guest $1 did not power off"; guest_tail $1; return 1; }; }
guest_destroy() { xl destroy $1 >> $OUT/xl.log 2>&1 && wait_until 10 guest_gone $1; }
guest_destroy_all() { for g in $(xl list 2>/dev/null | awk 'NR > 2 { print $2 }'); do xl destroy $g >/dev/null 2>&1; done; }
