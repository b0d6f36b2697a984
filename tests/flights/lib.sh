# What steps share on the side that runs them. Sourced by each step, bash. A step is called "ts-NAME HOST GUEST [ARGUMENT...]"; HOST
# is "lab" (one QEMU, which ts-xen-boot starts) or USER@MACHINE (by ssh); a guest's name ends in its type, as in one-pv.
# Exit status: 0 pass, 1 fail, anything else broken: the step could not say.
. "$(dirname "${BASH_SOURCE[0]}")/../qemu/common.sh"
flights=$top/tests/flights
# The state of a target, and what a step leaves: pipes, number of commands, QEMU's pid, logs.
state=${FLIGHT_DIR:-$B/flights/alone}
mkdir -p "$state"

host=${1:-} guest=${2:-}
[ -n "$host" ] || { echo "usage: ${0##*/} HOST GUEST" >&2; exit 2; }
shift; [ $# = 0 ] || shift
broken() { echo "broken: $*"; exit 3; }
is_lab() { [ "$host" = lab ]; }

guest_type() { echo "${guest##*-}"; }
need_guest()
{
	case $guest in
	*-pv|*-pvh) case ${guest%-*} in ''|*[!a-z0-9-]*) broken "guest $guest: a name is of a-z, 0-9 and -" ;; esac ;;
	*) broken "guest '$guest': its name says no type (-pv, -pvh)" ;;
	esac
}

# dom0 SECONDS TEXT: shell text, run on the target with the lab's functions and $g, $type, $img of the guest. The seconds are those of an
# idle machine: there they are stretched by what dom0 measured at its boot. Time out is a failure of the target's work: 1.
dom0()
{
	local rc
	"$flights/target-run" -s -t "$1" "$host" "g=$guest type=${guest##*-} img=/data/images/flight-$guest.img
. /lab/lib.sh; . /lab/case.sh; . /lab/flight.sh
$2"
	rc=$?
	case $rc in
	0|1) return $rc ;;
	124|137|143) echo "not done in $1 s (of an idle machine)"; return 1 ;;
	*) broken "status $rc from $host" ;;
	esac
}
