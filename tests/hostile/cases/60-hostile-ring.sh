# Lies in rings, credits and notifications: one guest against its worker, while another guest does verified I/O.
CASE_LIMIT=300
CASE_RESTARTS=1
case_main() { . /lab/hostile.sh; hostile_case ring; }
