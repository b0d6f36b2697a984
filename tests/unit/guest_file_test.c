// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest files: what is ours of them, and what is wrong with it, with line and column. */
/* LINK: tools/xvmsg/guest_file.c dom0/spec xen/proto/num.c */
/* LIBS: -lxlutil -lxenlight */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../tools/xvmsg/guest_file.h"

static char dir[] = "/tmp/xvm-guest-file-XXXXXX", image[64], path[64], faults[4096], descriptors[80];

static void note(void *arg, const struct guest_file *file, unsigned int line, unsigned int column, const char *what)
{
	(void)arg;
	assert_ptr_equal(file->path, path);
	snprintf(faults + strlen(faults), sizeof(faults) - strlen(faults), "%u:%u: %s\n", line, column, what);
}

/* IMAGE in text stands for a good image, DESCRIPTORS for where those are. */
static unsigned int read_file(const char *text, struct guest_file *file)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	for (; *text; text++) {
		if (!strncmp(text, "IMAGE", 5)) {
			fputs(image, out);
			text += 4;
		} else if (!strncmp(text, "DESCRIPTORS", 11)) {
			fputs(descriptors, out);
			text += 10;
		} else {
			fputc(*text, out);
		}
	}
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
	wrong("name=\"g\"\ndisk=[ \"" VIRTIO "\" ]\nvirtio_msg=[\"type=rng,name=xvda\"]\n", 1, "2:9: a device named xvda stands in line 3 already");
}

/* Of things that dom0 has once, or a guest may see once. */
static void test_twice(void **state)
{
	(void)state;
	wrong("name=\"g\"\nvirtio_msg = [ \"type=net,mac=00:16:3e:00:00:01\",\n\"type=net,mac=00:16:3E:00:00:01\" ]\n", 1,
	      "3:2: mac=00:16:3e:00:00:01 stands in line 2 already");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=net,vifname=x\",\n\"type=net,vifname=x\" ]\n", 1, "vifname=x stands in line 2 already");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=vsock,cid=7\",\n\"type=vsock,cid=7\" ]\n", 1, "cid=7 stands in line 2 already");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=scsi,wwpn=naa.6001405abcdef012\",\n\"type=scsi,wwpn=naa.6001405abcdef012\" ]\n", 1,
	      "wwpn=naa.6001405abcdef012 stands in line 2 already");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=disk,path=IMAGE\" ]\ndisk=[ \"" VIRTIO "\" ]\n", 1,
	      "is the disk of line 2 already, and one of them would write");
}

/* A program may serve two devices, and no socket is an image. */
static void test_no_images(void **state)
{
	struct guest_file file;

	(void)state;
	if (read_file("name=\"g\"\nvirtio_msg = [ \"type=net\", \"type=net\", \"type=vsock\", "
		      "\"type=vhost-user,device=rng,server=/usr/bin/x\", \"type=vhost-user,device=rng,server=/usr/bin/x\", "
		      "\"type=vfio-user,socket=/run/nowhere.sock\" ]\n", &file))
		fail_msg("%s", faults);
	guest_file_free(&file);
}

static void test_vdev(void **state)
{
	struct guest_file file;

	(void)state;
#define VDEV(name) "name=\"g\"\ndisk=[ \"format=raw,vdev=" name ",specification=virtio,backendtype=standalone,target=IMAGE\" ]\n"
	wrong(VDEV("xvdq"), 1, "2:9: vdev=xvdq: a Linux guest finds no device at all");
	wrong(VDEV("xvdaa"), 1, "vdev=xvdaa: ");
	wrong(VDEV("xvda16"), 1, "vdev=xvda16: ");
	assert_int_equal(read_file(VDEV("xvdp15"), &file), 0);
	guest_file_free(&file);
	assert_int_equal(read_file(VDEV("sda"), &file), 0);
	guest_file_free(&file);
}

static void descriptor(const char *name, const char *text, mode_t mode)
{
	char at[100];
	FILE *out;

	snprintf(at, sizeof(at), "%s/%s", descriptors, name);
	out = fopen(at, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	chmod(at, mode);
}

#define DESCRIBED(name) "name=\"g\"\ndisk=[ \"format=raw,vdev=xvda,specification=virtio,backendtype=standalone,target=DESCRIPTORS" name "\" ]\n"
#define ENTRY(name) "name=\"g\"\nvirtio = [ \"type=virtio,device22,transport=mmio\",\n \"transport=unknown,type=xen-virtio-msg:" name "\" ]\n"

/* What the target of a disk, or an entry of the virtio list, describes. Only root's are good. */
static void test_descriptors(void **state)
{
	struct guest_file file;

	(void)state;
	wrong(DESCRIBED("nowhere"), 1, "/nowhere: does not exist; create it or correct the name");
	wrong(ENTRY("nowhere"), 1, "3:41: descriptor ");
	wrong(ENTRY("no/where"), 1, "3:41: type= is not xen-virtio-msg: and the name of a descriptor");
	descriptor("open", "type=rng\n", 0666);
	wrong(DESCRIBED("open"), 1, "/open must be a file owned by root");
	if (geteuid())
		test_skip("what a good descriptor says is seen by root alone");
	descriptor("bad", "# a disk\ntype=disk\ncolour=red\n", 0600);
	wrong(DESCRIBED("bad"), 1, "/bad: line 3: unknown key");
	descriptor("disk", "type=disk\npath=/nowhere/image\n", 0600);
	wrong(DESCRIBED("disk"), 1, "2:9: /nowhere/image: does not exist");
	descriptor("rng", "type=rng\n", 0600);
	assert_int_equal(read_file(DESCRIBED("rng"), &file), 0);
	guest_file_free(&file);
	assert_int_equal(read_file(ENTRY("rng"), &file), 0);
	guest_file_free(&file);
	descriptor("sock", "type=vsock\ncid=9\n", 0600);
	wrong(DESCRIBED("sock") "virtio_msg = [ \"type=vsock,cid=9\" ]\n", 1, "2:9: cid=9 stands in line 3 already");
}

/* Where something is, in lists that are put together, and behind characters that are written as several. */
static void test_places(void **state)
{
	(void)state;
	wrong("name=\"g\"\nvirtio_msg = [ \"type=rng\" ]\nvirtio_msg += [ \"type=rng\",\n \"type=what\" ]\n", 1, "4:8: ");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=what\" ]\nvirtio_msg = [ \"type=rng\" ]\nvirtio_msg += [ \"type=who\" ]\n", 1, "4:23: ");
	wrong("name=\"g\"\nvirtio_msg = [ \"type=console,log=/tmp/it\\'s,colour=red\" ]\n", 1, "2:45: unknown key");
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
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_no_images),
		cmocka_unit_test(test_vdev),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_odd_texts),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(image, sizeof(image), "%s/x.img", dir);
	snprintf(path, sizeof(path), "%s/g.cfg", dir);
	snprintf(descriptors, sizeof(descriptors), "%s/devices/", dir);
	guest_file_descriptors = descriptors;
	if (mkdir(descriptors, 0700))
		return 1;
	fclose(fopen(image, "w"));
	if (truncate(image, 1 << 20))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(faults, sizeof(faults), "rm -r %s", dir);
	if (system(faults))
		return 1;
	return failed;
}
