# Verified I/O, PV, two vCPUs.
case_main() { need_type pv 13-io-pvh-2cpu; io_case pv 2; }
