# For jobs that go step by step. Sourced by them.

# step TEXT COMMAND...: one line for the person who waits; all of its output in $OUT/steps.log.
step()
{
	sp_text=$1 sp_t=$(now); shift
	echo "== $sp_text" >> $OUT/steps.log
	( "$@" ) > /run/lab/step 2>&1; sp_rc=$?
	cat /run/lab/step >> $OUT/steps.log
	[ $sp_rc = 0 ] || { say "FAILED: $sp_text"; tail -20 /run/lab/step | while read -r l; do say "  $l"; done; return 1; }
	say "$(printf '%-62s %6.1f s' "$sp_text" $(since $sp_t))"
	sed -n 's/^# /     /p' /run/lab/step | while read -r l; do say "     $l"; done
}
no() { ! "$@"; }
