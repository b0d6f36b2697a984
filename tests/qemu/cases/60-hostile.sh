# Rings, messages, areas: one guest attacks xvmsgd and its own worker, while another guest does verified I/O.
CASE_LIMIT=240
CASE_RESTARTS=1
case_main() { . /lab/hostile.sh; hostile_case ring msg area; }
