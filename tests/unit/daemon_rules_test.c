// SPDX-License-Identifier: GPL-2.0-or-later
/* The supervisor's decisions as pure functions: nodes, budget, rates, images. */
/* LINK: xen/proto dom0/daemon/decide.c dom0/daemon/budget.c dom0/spec/spec.c dom0/daemon/image.c */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../dom0/daemon/budget.h"
#include "../../dom0/daemon/decide.h"
#include "../../dom0/daemon/image.h"

/* ---- nodes ---- */

static void test_decide(void **state)
{
	static const struct {
		enum xvm_disk_phase phase;
		struct xvm_node_view node;
		enum xvm_disk_step step;
	} cases[] = {
#define NODE(state_, online_, front_, ours_) { true, true, state_, online_, front_, ours_, true }
		/* creation, and nodes of a former daemon */
		{ XVM_DISK_NEW, NODE(1, 1, true, false), XVM_STEP_ADOPT },
		{ XVM_DISK_NEW, NODE(2, 1, true, false), XVM_STEP_ADOPT },
		{ XVM_DISK_NEW, NODE(4, 1, true, false), XVM_STEP_ADOPT },
		{ XVM_DISK_NEW, NODE(6, 1, true, false), XVM_STEP_ADOPT },
		{ XVM_DISK_NEW, NODE(1, 0, true, false), XVM_STEP_WAIT },
		{ XVM_DISK_NEW, NODE(6, 0, false, false), XVM_STEP_WAIT },
		/* removal before, while and after it is ours */
		{ XVM_DISK_NEW, NODE(5, 0, false, false), XVM_STEP_CLOSE },
		{ XVM_DISK_OPENING, NODE(5, 0, false, false), XVM_STEP_CLOSE },
		{ XVM_DISK_READY, NODE(5, 0, true, true), XVM_STEP_REMOVE },
		{ XVM_DISK_READY, NODE(5, 0, false, true), XVM_STEP_REMOVE_FORCED },
		{ XVM_DISK_LEAVING, NODE(5, 0, true, true), XVM_STEP_WAIT },
		{ XVM_DISK_LEAVING, NODE(5, 0, false, true), XVM_STEP_REMOVE_FORCED },
		{ XVM_DISK_LEFT, NODE(5, 0, false, true), XVM_STEP_WAIT },
		{ XVM_DISK_CLOSED, NODE(5, 0, false, true), XVM_STEP_CLOSE },
		/* half a removal is none */
		{ XVM_DISK_READY, NODE(5, 1, true, true), XVM_STEP_WAIT },
		{ XVM_DISK_READY, NODE(2, 1, false, true), XVM_STEP_WAIT },
		/* removed and made anew at the same place */
		{ XVM_DISK_READY, NODE(1, 1, true, false), XVM_STEP_DROP },
		{ XVM_DISK_CLOSED, NODE(1, 1, true, false), XVM_STEP_ADOPT },
		/* gone, in whole or in part */
		{ XVM_DISK_READY, { 0 }, XVM_STEP_DROP },
		{ XVM_DISK_CLOSED, { 0 }, XVM_STEP_DROP },
		{ XVM_DISK_READY, { true, false, 0, 1, true, true, true }, XVM_STEP_DROP },
		{ XVM_DISK_OPENING, { true, false, 0, 1, true, false, true }, XVM_STEP_DROP },
		{ XVM_DISK_NEW, { true, false, 0, 1, true, false, true }, XVM_STEP_WAIT },
		{ XVM_DISK_CLOSED, { true, false, 0, 1, true, false, true }, XVM_STEP_WAIT },
		/* the domain died under it */
		{ XVM_DISK_READY, { true, true, 4, 1, true, true, false }, XVM_STEP_REMOVE_FORCED },
		{ XVM_DISK_NEW, { true, true, 4, 1, true, false, false }, XVM_STEP_WAIT },
		/* nothing to do */
		{ XVM_DISK_READY, NODE(2, 1, true, true), XVM_STEP_WAIT },
		{ XVM_DISK_READY, NODE(4, 1, true, true), XVM_STEP_WAIT },
		{ XVM_DISK_CLOSED, NODE(6, 1, true, true), XVM_STEP_WAIT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(cases); i++)
		if (xvm_disk_decide(cases[i].phase, &cases[i].node) != cases[i].step)
			fail_msg("case %zu: step %d, expected %d", i,
				 xvm_disk_decide(cases[i].phase, &cases[i].node), cases[i].step);
}

/* ---- budget and rates ---- */

static void test_budget(void **state)
{
	struct xvm_budget budget = { .total_pages = 100, .guest_pages = 60 };
	u32 a = 0, b = 0, left;

	(void)state;
	assert_int_equal(xvm_budget_take(&budget, &a, 60, &left), 0);
	assert_int_equal(left, 0);
	assert_int_equal(xvm_budget_take(&budget, &a, 1, &left), -ENOSPC);
	assert_int_equal(xvm_budget_take(&budget, &b, 41, &left), -ENOSPC);
	assert_int_equal(left, 40);
	assert_int_equal(xvm_budget_take(&budget, &b, 0xffffffffu, &left), -ENOSPC);
	assert_int_equal(xvm_budget_take(&budget, &b, 40, &left), 0);
	xvm_budget_give(&budget, &a, 60);
	xvm_budget_give(&budget, &b, 40);
	assert_int_equal(budget.used_pages + a + b, 0);
	xvm_budget_give(&budget, &b, 5);
	assert_int_equal(budget.used_pages + b, 0);
}

static void test_rate(void **state)
{
	struct xvm_rate rate = XVM_RATE(5, 1000, 60000);
	u64 now = 1000000;
	u32 i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_int_equal(xvm_rate_take(&rate, now), 0);
	assert_int_equal(xvm_rate_take(&rate, now), 1000);
	assert_int_equal(xvm_rate_take(&rate, now + 400), 600);
	now += 1000;
	assert_int_equal(xvm_rate_take(&rate, now), 0);
	assert_int_equal(xvm_rate_take(&rate, now), 2000);
	for (i = 2000; i < 60000; i = 2 * i < 60000 ? 2 * i : 60000) {
		now += i;
		assert_int_equal(xvm_rate_take(&rate, now), 0);
		assert_int_equal(xvm_rate_take(&rate, now), 2 * i < 60000 ? 2 * i : 60000);
	}
	/* Quiet for long enough: all forgotten. */
	now += 60000 + 6000;
	for (i = 0; i < 5; i++)
		assert_int_equal(xvm_rate_take(&rate, now), 0);
	assert_int_equal(xvm_rate_take(&rate, now), 1000);
}

/* ---- images ---- */

static char dir[] = "/tmp/xvm-image-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void make_file(const char *name, off_t bytes, mode_t mode, struct xvm_image_request *request)
{
	int fd;

	memset(request, 0, sizeof(*request));
	snprintf(request->target, sizeof(request->target), "%s/%s", dir, name);
	fd = open(request->target, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void refused(struct xvm_image_request *request, const char *text)
{
	char why[XVM_WHY_BYTES] = "";
	struct xvm_image image;
	struct fdset fds;

	assert_true(xvm_image_open(request, &image, &fds, why) < 0);
	assert_int_equal(fds.count, 0);
	if (!strstr(why, text))
		fail_msg("'%s', expected '%s'", why, text);
}

static void test_image_good(void **state)
{
	struct xvm_image_request request;
	char why[XVM_WHY_BYTES];
	struct xvm_image image, again;
	struct fdset fds;
	struct stat st;
	int fd;

	(void)state;
	make_file("good", 1 << 20, 0600, &request);
	assert_int_equal(xvm_image_open(&request, &image, &fds, why), 0);
	assert_int_equal(fds.count, 1);
	fd = fdset_take(&fds, 0);
	assert_int_equal(image.bytes, 1 << 20);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	assert_int_equal(!!(fcntl(fd, F_GETFL) & O_DIRECT), image.direct);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fstat(fd, &st);
	assert_true(image.id.dev == st.st_dev && image.id.ino == st.st_ino && !image.id.block);
	close(fd);
	request.read_only = true;
	assert_int_equal(xvm_image_open(&request, &again, &fds, why), 0);
	fd = fdset_take(&fds, 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_memory_equal(&again.id, &image.id, sizeof(image.id));
	close(fd);
}

static void test_image_bad(void **state)
{
	struct xvm_image_request request;

	(void)state;
	make_file("empty", 0, 0600, &request);
	refused(&request, "is empty");
	make_file("odd", 1000, 0600, &request);
	refused(&request, "has 1000 bytes, not a multiple of 512");
	make_file("ro", 4096, 0444, &request);
	refused(&request, "but access=rw; say access=ro");
	snprintf(request.target, sizeof(request.target), "%s/nothing", dir);
	refused(&request, "does not exist");
	snprintf(request.target, sizeof(request.target), "%s", dir);
	refused(&request, "neither a file nor a block device");
	request.read_only = true;
	refused(&request, "neither a file nor a block device");
	strcpy(request.target, "/dev/null");
	refused(&request, "neither a file nor a block device");
	strcpy(request.target, "image");
	refused(&request, "not an absolute path");
	snprintf(request.target, sizeof(request.target), "%s/fifo", dir);
	assert_int_equal(mkfifo(request.target, 0600), 0);
	refused(&request, "neither a file nor a block device");	/* and does not wait for a writer */
}

static void test_sharing(void **state)
{
	struct xvm_image_use a = { .id = { .dev = 1, .ino = 2 }, .domid = 1, .uuid = "u1", .name = "a" };
	struct xvm_image_use b = { .id = { .dev = 1, .ino = 2 }, .domid = 2, .uuid = "u2", .name = "b" };

	(void)state;
	assert_false(xvm_image_may_share(&a, &b));
	b.read_only = true;
	assert_false(xvm_image_may_share(&a, &b));
	a.read_only = true;
	assert_true(xvm_image_may_share(&a, &b));
	b.read_only = false;
	assert_false(xvm_image_may_share(&a, &b));
	/* Migration on one host, or into it. */
	b.name = "a--incoming";
	assert_true(xvm_image_may_share(&a, &b));
	b.name = "b";
	b.uuid = "u1";
	assert_true(xvm_image_may_share(&a, &b));
	/* Twice in one guest is no migration. */
	b.domid = 1;
	assert_false(xvm_image_may_share(&a, &b));
	a.uuid = b.uuid = "";
	b.domid = 2;
	assert_false(xvm_image_may_share(&a, &b));
	/* Another file; a block device with the same numbers. */
	b.id.ino = 3;
	assert_true(xvm_image_may_share(&a, &b));
	b.id.ino = 2;
	b.id.block = true;
	assert_true(xvm_image_may_share(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_image_good),
		cmocka_unit_test(test_image_bad),
		cmocka_unit_test(test_sharing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
