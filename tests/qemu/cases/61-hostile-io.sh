# Virtqueues, disk requests, xenstore, and the bus's directory deleted: one guest attacks xvmsgd and its own worker, while another
# guest does verified I/O.
CASE_LIMIT=240
CASE_RESTARTS=1
delete_bus()
{
	in_guest evil 30 'echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/unbind; rmmod xen-virtio-msg; modprobe -a xen-gntalloc xen-evtchn && xvm-hostile delete-the-bus'
	h_account "bus-directory-deleted survived: this guest has no bus any more"
	must "xl destroy" quickly 5 "xl destroy of a guest without its bus node" guest_destroy evil
	must "attacker's second start" guest_start evil
	attacker_proper
}
case_main() { . /lab/hostile.sh; H_LAST=delete_bus; hostile_case vq packed io store; }
