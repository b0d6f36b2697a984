/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user server for the tests, written from the document and sharing no code with the front-end: a disk in a
 * file, or with --log a device that appends what it is given to a file and would do so twice if asked twice. Knows the
 * log of requests in flight (INFLIGHT_SHMFD). Lies on demand:
 *
 *   xvm-vhost-server --socket PATH | --fd N  --image FILE | --log FILE  [--input] [--inflight] [--also FEATURE]...
 *     [--features BITS] [--slow MS] [--at PHASE --do LIE] [--after N]
 *
 * FEATURE: a protocol feature that it has besides: BACKEND_REQ (SIGUSR1 makes it send as many CONFIG_CHANGEs as its socket
 * takes), RESET_DEVICE, STATUS. --features: device features besides. --input: it shows the configuration of an input device. --slow: before it looks at each message. Its disk has a cache mode that the driver may
 * choose (CONFIG_WCE), which GET_ID says, and which a reset puts back.
 *
 * PHASE: a request of the front-end by name, "request" (a buffer was taken), "used" (it is to be given back). LIE: die,
 * hang, garbage (an answer of noise), short (one cut off), fds (with descriptors nobody asked for), refuse; of a
 * buffer: die, hang, twice, unknown, long (more bytes than it has room for), ahead (an index far beyond), noise (all over
 * its memory). --after N: not before the Nth of them. One connection, then it ends.
 */
#ifndef TESTS_REMOTE_VHOST_SERVER_H
#define TESTS_REMOTE_VHOST_SERVER_H

/* With main's arguments; returns its exit status. In a process of its own. */
int vhost_server(int argc, char **argv);

#endif
