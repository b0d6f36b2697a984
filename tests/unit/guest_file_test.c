// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest files: what is ours of them, and what is wrong with it, with line and column. */
/* LINK: tools/xvmsg/guest_file.c dom0/spec xen/proto/num.c */
/* LIBS: -lxlutil -lxenlight */
#include <stdlib.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../tools/xvmsg/guest_file.h"

static char dir[] = "/tmp/xvm-guest-file-XXXXXX", image[64], path[64], faults[4096];

static void note(void *arg, const struct guest_file *file, unsigned int line, unsigned int column, const char *what)
{
	(void)arg;
	assert_ptr_equal(file->path, path);
	snprintf(faults + strlen(faults), sizeof(faults) - strlen(faults), "%u:%u: %s\n", line, column, what);
}

/* IMAGE in text stands for a good image. */
static unsigned int read_file(const char *text, struct guest_file *file)
{
	FILE *out = fopen(path, "w");
	const char *at;

	assert_non_null(out);
	for (; (at = strstr(text, "IMAGE")); text = at + 5)
		fprintf(out, "%.*s%s", (int)(at - text), text, image);
	fputs(text, out);
	fclose(out);
	faults[0] = 0;
	return guest_file_read(file, path, note, NULL);
}

static void wrong(const char *text, unsigned int count, const char *expected)
{
	struct guest_file file;
	unsigned int n = read_file(text, &file);

	if (n != count || !strstr(faults, expected))
		fail_msg("%u faults, expected %u with '%s':\n%s", n, count, expected, faults);
	guest_file_free(&file);
}

static void test_good(void **state)
{
	struct guest_file file;

	(void)state;
	assert_int_equal(read_file("name = \"g\" # virtio_msg = [ 1 ]\nuuid='u'\nvirtio_msg = [ \"type=rng\",\n"
				   "  'type=disk, vdev=b, path=IMAGE', ]\nmemory = 64\n", &file), 0);
	assert_string_equal(file.name, "g");
	assert_string_equal(file.uuid, "u");
	assert_int_equal(file.num_devices, 2);
	assert_int_equal(file.devices[0].spec.kind, XVM_KIND_RNG);
	assert_string_equal(file.devices[1].spec.name, "b");
	assert_int_equal(file.devices[1].line, 4);
	assert_int_equal(file.devices[1].column, 4);
	guest_file_free(&file);
	assert_int_equal(read_file("name = \"g\"\n", &file), 0);
	assert_int_equal(file.num_devices, 0);
	guest_file_free(&file);
}

static void test_wrong(void **state)
{
	(void)state;
	wrong("name=\"g\"\nvirtio_msg = [ \"type=rng,colour=red\" ]\n", 1, "2:26: unknown key");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=disk,path=/nowhere/x\" ]\n", 1, "2:17: /nowhere/x: does not exist");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=disk,path=/tmp\" ]\n", 1, "neither a file nor a block device");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=rng,name=a\",\n\"type=rng,name=a\" ]\n", 1, "3:2: a device named a stands in line 2");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=disk,path=IMAGE\",\n\"type=disk,path=IMAGE,access=ro\" ]\n", 1, "would write");
	wrong("name=\"g\"\nvirtio_msg = \"type=rng\"\n", 1, "2:13: virtio_msg is a list of strings");
	wrong("name=\"g\"\nvirtio_msg = [ [\"type=rng\"] ]\n", 1, "virtio_msg is a list of strings");
	wrong("virtio_msg = [ ]\n", 1, "0:0: name= is missing");
	wrong("name=\"g\n", 1, "1:1: ");
	wrong("name=\"g\"\ndisk=[ \"nonsense,,,,,,\" ]\n", 1, "disk specification");
}

#define VIRTIO "format=raw,vdev=xvda,specification=virtio,backendtype=standalone,target=IMAGE"

static void test_disks(void **state)
{
	struct guest_file file;

	(void)state;
	assert_int_equal(read_file("name=\"g\"\ndisk=[ \"" VIRTIO "\" ]\n", &file), 0);
	guest_file_free(&file);
	assert_int_equal(read_file("name=\"g\"\ndisk=[ \"phy:/dev/null,xvda,w\" ]\nvirtio_msg=[\"type=rng\"]\n", &file), 0);
	guest_file_free(&file);
	wrong("name=\"g\"\ndisk=[ \"" VIRTIO "\",\n\"phy:/dev/null,xvdb,w\" ]\n", 1, "3:2: a PV disk beside virtio disks");
	wrong("name=\"g\"\ndisk=[ \"" VIRTIO "x\" ]\n", 1, "2:9: ");
	wrong("name=\"g\"\ndisk=[ \"" VIRTIO "\" ]\nvirtio_msg=[\"type=rng,name=xvda\"]\n", 1, "named xvda too");
}

/* No string of any kind may run the place finder off the text: libxlutil has the last word on what is wrong. */
static void test_odd_texts(void **state)
{
	static const char *const texts[] = { "virtio_msg = [", "virtio_msg = [ \"", "virtio_msg = [ '\\", "name='g'\nvirtio_msg=[\"type\\x3drng\"]#",
					     "#", "\"", "virtio_msg", "virtio_msg =", "a=[[[" };
	struct guest_file file;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(texts); i++) {
		read_file(texts[i], &file);
		guest_file_free(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_odd_texts),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(image, sizeof(image), "%s/x.img", dir);
	snprintf(path, sizeof(path), "%s/g.cfg", dir);
	fclose(fopen(image, "w"));
	if (truncate(image, 1 << 20))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(image);
	unlink(path);
	rmdir(dir);
	return failed;
}
