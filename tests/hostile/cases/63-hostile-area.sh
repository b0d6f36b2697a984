# Areas of foreign, ended, changing and too many grants: one guest against its worker, while another guest does verified I/O.
CASE_LIMIT=300
CASE_RESTARTS=1
case_main() { . /lab/hostile.sh; hostile_case area; }
