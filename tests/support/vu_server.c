// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"
#include "vu_server.h"
#include "../../dom0/base/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

pid_t vu_server_run(char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(2, 1);
		close_range(3, ~0u, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

pid_t vu_server_disk(const char *path, const char *image, bool writable)
{
	char blockdev[200], export[200];
	char *argv[] = { QSD, "--blockdev", blockdev, "--export", export, NULL };

	unlink(path);
	snprintf(blockdev, sizeof(blockdev), "driver=file,node-name=disk,filename=%s", image);
	snprintf(export, sizeof(export), "type=vhost-user-blk,id=export,node-name=disk,writable=%s,addr.type=unix,addr.path=%s",
		 writable ? "on" : "off", path);
	return vu_server_run(argv);
}

void vu_server_kill(pid_t pid)
{
	assert_return_code(kill(pid, SIGKILL), errno);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int vu_server_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int sock, i;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	for (i = 0; i < 1000; i++) {
		sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(sock >= 0);
		if (!connect(sock, (struct sockaddr *)&to, sizeof(to)))
			return sock;
		close(sock);
		usleep(10000);
	}
	fail_msg("no server at %s", path);
	return -1;
}

/* As enum xvm_vu_fd has it. */
static void make_fds(struct fdset *fds, int sock, u32 queues)
{
	u32 i;
	int memory = memfd_create("vhost-user", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_return_code(ftruncate(memory, (off_t)queues * XVM_VU_QUEUE_BYTES), errno);
	assert_return_code(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), errno);
	fds->count = XVM_VU_KICK + queues;
	fds->fd[XVM_VU_SOCKET] = sock;
	fds->fd[XVM_VU_MEMORY] = memory;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &fds->fd[XVM_VU_BACK]), errno);
	for (i = XVM_VU_CALL; i < fds->count; i++)
		fds->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void vu_server_add(struct rig *rig, const struct xvm_ipc_dev_add *desc, int sock)
{
	struct fdset fds;

	make_fds(&fds, sock, desc->queues);
	rig_add_fds(rig, desc, &fds);
	fdset_close(&fds);
}

void vu_server_again(struct rig *rig, u16 num, const char *path, u32 queues)
{
	struct fdset fds;

	make_fds(&fds, vu_server_connect(path), queues);
	rig_server(rig, num, &fds);
	fdset_close(&fds);
}
