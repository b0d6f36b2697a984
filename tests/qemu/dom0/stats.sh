# The only place that knows how counters are written: the module's stats file ("key value" lines, shown on the guest's
# console as "GUEST: stats LABEL key value") and `xvmsg stat DOMID --json` in dom0. Sourced by lib.sh.

# guest_stat NAME LABEL KEY: as the guest printed it at LABEL; several buses are added up.
guest_stat() { tr -d '\r' < "$(guest_log $1)" | awk -v l=$2 -v k=$3 '$1 == "GUEST:" && $2 == "stats" && $3 == l && $4 == k { n += $5; f = 1 } END { if (f) print n }'; }

# host_stats NAME FILE: what dom0 knows of the guest now.
host_stats() { xvmsg stat "$(guest_id $1)" --json > $2 2>/dev/null; }
# host_stat FILE KEY: sum of all numbers named KEY.
host_stat() { tr ',{}[]' '\n\n\n\n\n' < $1 | awk -v k="\"$2\"" '{ i = index($0, ":"); n = substr($0, 1, i - 1); gsub(/[ \t]/, "", n); if (n == k) { s += substr($0, i + 1); f = 1 } } END { if (f) print s }'; }

module_grant_keys="grants_given grants_ended"
host_grant_keys="grants_mapped grants_unmapped"
host_request_keys="requests"

# grant_ops_per_request NAME LABEL0 LABEL1 HOSTFILE0 HOSTFILE1: grant operations of both ends between two points, divided by
# the requests served between them; empty when a counter is missing.
grant_ops_per_request()
{
	go_ops=0 go_req= go_seen=
	for k in $module_grant_keys; do
		a=$(guest_stat $1 $2 $k); b=$(guest_stat $1 $3 $k)
		[ -n "$a" ] && [ -n "$b" ] && { go_ops=$((go_ops + b - a)); go_seen=1; }
	done
	for k in $host_grant_keys; do
		a=$(host_stat $4 $k); b=$(host_stat $5 $k)
		[ -n "$a" ] && [ -n "$b" ] && go_ops=$((go_ops + b - a))
	done
	for k in $host_request_keys; do
		a=$(host_stat $4 $k); b=$(host_stat $5 $k)
		[ -n "$a" ] && [ -n "$b" ] && go_req=$((${go_req:-0} + b - a))
	done
	# Without the daemon's count: the block layer's, which the guest prints as requests.
	[ -n "$go_req" ] || { a=$(guest_stat $1 $2 requests); b=$(guest_stat $1 $3 requests); [ -z "$a" ] || go_req=$((b - a)); }
	[ -n "$go_seen" ] && [ "${go_req:-0}" -gt 0 ] && awk -v o=$go_ops -v r=$go_req 'BEGIN { printf "%g %d %d\n", o / r, o, r }'
}
