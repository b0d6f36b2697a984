# A device side that lies to the Linux module. `make check` tells the lies below, `make check-lies` all that `xvmsg-liar list` has.
CASE_LIMIT=$([ -z "$LAB_lies" ] && echo 240 || echo 1200)
CASE_RESTARTS=1
CASE_ALLOW='I/O error'	# the liar's disk; the guest says for itself what it read
told='stray-answers-of-another-token stray-answers-of-another-device stray-answers-of-another-id stray-answers-of-another-kind
stray-answers-cut-short stray-answers-too-long stray-answers-of-lying-size answers-twice answers-nobody-asked-for
requests-fail-and-are-answered requests-all-fail device-list-all-numbers device-list-without-end device-list-goes-back
device-list-of-another-window device-list-lengths-lie config-size-4-gib feature-bits-4-billion queues-4-billion queues-none
device-type-0 device-type-balloon features-all features-none'
case_main()
{
	. /lab/hostile.sh
	. /lab/liar.sh
	[ "$LAB_lies" != all ] || told=$(xvmsg-liar list | cut -d' ' -f1)
	case $LAB_lies in ''|all) ;; *) told=$(echo "$LAB_lies" | tr '+' ' ') ;; esac
	liar_case $told
}
