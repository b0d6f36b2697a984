// SPDX-License-Identifier: GPL-2.0-or-later
/* A device in words: lists as in guest files, and descriptor files. */
/* LINK: dom0/spec xen/proto/num.c */
#include <stdio.h>
#include <stdlib.h>
#include "../support/test.h"
#include "../../dom0/spec/spec.h"

static int list(const char *text, struct xvm_spec *spec, struct xvm_spec_fault *fault)
{
	return xvm_spec_parse(XVM_SPEC_LIST, text, strlen(text), spec, fault);
}

static int lines(const char *text, struct xvm_spec *spec, struct xvm_spec_fault *fault)
{
	return xvm_spec_parse(XVM_SPEC_LINES, text, strlen(text), spec, fault);
}

static void test_list_good(void **state)
{
	struct xvm_spec_fault fault;
	struct xvm_spec spec;

	(void)state;
	assert_int_equal(list("type=rng", &spec, &fault), 0);
	assert_int_equal(spec.kind, XVM_KIND_RNG);
	assert_string_equal(spec.name, "");
	assert_int_equal(list("type=disk, path=/srv/x.img, format=raw, access=ro, vdev=xvdb", &spec, &fault), 0);
	assert_int_equal(spec.kind, XVM_KIND_BLK);
	assert_string_equal(spec.path, "/srv/x.img");
	assert_string_equal(spec.name, "xvdb");
	assert_true(spec.read_only && !spec.discard);
	assert_int_equal(list("\tno-discard ,type=disk ,target=/a,b=c, d", &spec, &fault), 0);
	assert_string_equal(spec.path, "/a,b=c, d");
	assert_true(!spec.read_only && !spec.discard);
	assert_int_equal(list("type=disk,path=/x,access=rw", &spec, &fault), 0);
	assert_true(spec.discard);
}

static void test_list_bad(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} cases[] = {
		{ "", 0, "nothing between two commas" },
		{ "type=rng,", 9, "nothing between two commas" },
		{ "path=/x", 0, "type= is missing" },
		{ "type=disk", 0, "needs path=" },
		{ "type=ring", 5, "none of disk, rng, vhost-user, vfio-user" },
		{ "type=console,ports=", 19, "1 to 31 of letters" },
		{ "type=console,ports=a:", 19, "1 to 31 of letters" },
		{ "type=console,ports=a:b:a", 19, "twice" },
		{ "type=console,ports=a:b:c:d:e:f:g:h", 19, "more than 7" },
		{ "type=console,log=x", 17, "absolute" },
		{ "type=vsock,cid=2", 15, "from 3 to 4294967294" },
		{ "type=vsock,cid=4294967295", 15, "from 3 to 4294967294" },
		{ "type=vsock,cid=0x10", 15, "from 3 to 4294967294" },
		{ "type=net,vhost=yes", 15, "neither on nor off" },
		{ "type=net,queues=9,vhost=on", 16, "above 8" },
		{ "type=rng,vhost=on", 9, "vhost is only for type=net" },
		{ "type=scsi", 0, "needs wwpn=" },
		{ "type=scsi,wwpn=naa.1,queues=9", 28, "above 8" },
		{ "type=scsi,wwpn=", 15, "naa., iqn. or fc." },
		{ "type=scsi,wwpn=naa.", 15, "naa., iqn. or fc." },
		{ "type=scsi,wwpn=0123", 15, "naa., iqn. or fc." },
		{ "type=scsi,wwpn=naa.../..", 15, "naa., iqn. or fc." },
		{ "type=console,path=/x", 13, "path is only for type=disk" },
		{ "type=rng,log=/x", 9, "log is only for type=console" },
		{ "type=rng, colour=red", 10, "unknown key; known are type, name" },
		{ "type=rng,path=/x", 9, "path is only for type=disk" },
		{ "type=rng,vdev=xvdb", 9, "vdev is only for type=disk" },
		{ "type=disk,path=/x,path=/y", 18, "twice" },
		{ "type=disk,name=a,vdev=b,path=/x", 17, "twice" },
		{ "type=disk,path=/x,target=/y", 18, "twice" },
		{ "type=disk,discard,no-discard,path=/x", 18, "twice" },
		{ "type=disk,path=x", 15, "absolute" },
		{ "type=disk,path=/x\033[2J", 15, "control character" },
		{ "type=disk,path=/x,format=qcow2", 25, "not raw" },
		{ "type=disk,path=/x,access=rx", 25, "neither rw nor ro" },
		{ "type=disk,path=/x,access", 18, "needs a value" },
		{ "type=disk,path=/x,discard=1", 26, "no value" },
		{ "type=disk,path=/x,access=ro,discard", 28, "access=ro" },
		{ "type=vhost-user,socket=/s", 0, "needs device=" },
		{ "type=vhost-user,device=disk", 0, "needs socket= or server=" },
		{ "type=vhost-user,device=tape,socket=/s", 23, "device=" },
		{ "type=vhost-user,device=64,socket=/s", 23, "device=" },
		{ "type=vhost-user,device=40,socket=/s", 0, "queues= is needed" },
		{ "type=vhost-user,device=fs,socket=/s", 0, "tag=" },
		{ "type=vhost-user,device=disk,tag=a,socket=/s", 0, "tag=" },
		{ "type=vhost-user,device=fs,tag=a,queues=1,socket=/s", 0, "below 2" },
		{ "type=vhost-user,device=disk,queues=9,socket=/s", 35, "1 to 8" },
		{ "type=vhost-user,device=disk,socket=s", 35, "absolute" },
		{ "type=vhost-user,device=18,queues=2,config=257,socket=/s", 42, "0 to 256" },
		{ "type=vhost-user,device=net,config=12,socket=/s", 27, "not for device=net" },
		{ "type=vhost-user,device=disk,mac=00:16:3e:00:00:01,socket=/s", 28, "for device=net" },
		{ "type=vhost-user,device=fs,tag=a,mtu=1500,socket=/s", 32, "for device=net" },
		{ "type=vhost-user,device=disk,socket=/s,server=/p", 38, "twice" },
		{ "type=vhost-user,device=disk,path=/s", 28, "only for type=disk" },
		{ "type=vhost-user,device=disk,trusted,server=/p", 28, "needs no trust" },
		{ "type=vhost-user,device=disk,user=nobody,socket=/p", 28, "user= is for server=" },
		{ "type=vhost-user,device=disk,user=no body,server=/p", 33, "user= is not" },
		{ "type=vhost-user,device=disk,server=../p", 35, "begins neither" },
		{ "type=vhost-user,device=disk,server=", 35, "empty" },
		{ "type=vhost-user,device=disk,trusted=1,socket=/s", 36, "no value" },
		{ "type=net,path=/x", 9, "path is only for type=disk" },
		{ "type=disk,path=/x,mac=00:16:3e:00:00:01", 18, "mac is only for type=vhost-user or net" },
		{ "type=net,mac=00:16:3e:00:00", 13, "mac= is not" },
		{ "type=net,mac=00:16:3e:00:00:0g", 13, "mac= is not" },
		{ "type=net,mac=00-16-3e-00-00-01", 13, "mac= is not" },
		{ "type=net,mac=01:16:3e:00:00:01", 13, "mac= is not" },
		{ "type=net,bridge=", 16, "bridge= is no name" },
		{ "type=net,bridge=sixteen_letters_", 16, "bridge= is no name" },
		{ "type=net,bridge=../x", 16, "bridge= is no name" },
		{ "type=net,vifname=a:b", 17, "vifname= is no name" },
		{ "type=net,script=a/b", 16, "script= is neither" },
		{ "type=net,script=vif-route,ip=", 29, "ip= is not 1 to 159" },
		{ "type=net,script=vif-route,ip=192.0.2.1;x", 29, "ip= is no list" },
		{ "type=net,script=vif-route,ip=192.0.2.1/33", 29, "ip= is no list" },
		{ "type=net,script=vif-route,ip=192.0.2.1  192.0.2.2", 29, "ip= is no list" },
		{ "type=net,script=vif-route,ip=fe80::1/129", 29, "ip= is no list" },
		{ "type=net,script=vif-route,gatewaydev=a/b", 37, "gatewaydev= is no name" },
		{ "type=net,ip=192.0.2.1", 9, "are for a script=" },
		{ "type=net,bridge=b,gatewaydev=eth0", 18, "are for a script=" },
		{ "type=net,mtu=67", 13, "68 to 65535" },
		{ "type=net,mtu=65536", 13, "68 to 65535" },
		{ "type=net,queues=0", 16, "1 to 16" },
		{ "type=net,queues=17", 16, "1 to 16" },
		{ "type=net,link=on", 14, "up nor down" },
		{ "type=net,bridge=a,bridge=b", 18, "twice" },
		{ "type=rng,hello", 9, "not key=value" },
		{ "type=vfio-user", 0, "type=vfio-user needs socket=" },
		{ "type=vfio-user,socket=x", 22, "socket= is no absolute path" },
		{ "type=vfio-user,path=/x", 15, "path is only for type=disk" },
		{ "type=vfio-user,trusted=1,socket=/x", 23, "trusted takes no value" },
		{ "type=vfio-user,trusted,socket=/x,trusted", 33, "twice" },
		{ "type=rng,trusted", 9, "trusted is only for type=vhost-user or vfio-user" },
		{ "type=rng,socket=/x", 9, "socket is only for type=vhost-user or vfio-user" },
		{ "type=rng,name=12", 14, "name=" },
		{ "type=rng,name=a b", 14, "name=" },
		{ "type=rng,name=a23456789012345678901", 14, "name=" },
	};
	static char longest[XVM_SPEC_MAX_BYTES + 1] = "type=disk,path=/";
	struct xvm_spec_fault fault;
	struct xvm_spec spec;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(cases); i++) {
		if (list(cases[i].text, &spec, &fault) != -EINVAL)
			fail_msg("accepted: %s", cases[i].text);
		if (!strstr(fault.why, cases[i].why) || fault.at != cases[i].at)
			fail_msg("%s: '%s' at %zu, expected '%s' at %zu", cases[i].text, fault.why, fault.at,
				 cases[i].why, cases[i].at);
	}
	assert_int_equal(xvm_spec_parse(XVM_SPEC_LIST, "type=rng\0x", 10, &spec, &fault), -EINVAL);
	memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
	assert_int_equal(list(longest, &spec, &fault), -EINVAL);
	assert_non_null(strstr(fault.why, "longer than 2047"));
	longest[1100] = 0;
	assert_int_equal(list(longest, &spec, &fault), -EINVAL);
	assert_non_null(strstr(fault.why, "longer than 1023"));
}

static void test_print(void **state)
{
	static const char *const texts[] = {
		"type=rng", "type=rng,name=r", "type=disk,name=xvdb,access=ro,target=/x",
		"type=disk,access=rw,no-discard,target=/x,y=z", "type=disk,access=rw,target=/x",
		"type=net,queues=1",
		"type=net,name=net0,queues=16,mac=00:16:3e:0a:ff:00,bridge=xenbr0,script=/etc/xen/scripts/vif-x,vifname=fifteen_letters,mtu=9000,link=down",
		"type=net,queues=1,script=vif-route,ip=192.0.2.1 198.51.100.0/24 2001:db8::/64,gatewaydev=eth0",
		"type=vhost-user,name=d,device=disk,queues=1,socket=/run/d.sock",
		"type=vhost-user,device=fs,queues=2,tag=share,server=/usr/bin/p --fd=%fd -o source=/a,b",
		"type=vhost-user,device=40,queues=3,socket=/s",
		"type=vhost-user,device=fs,queues=2,tag=t,user=_some-1.a,server=virtiofsd -o source=/a,b",
		"type=vhost-user,device=disk,queues=1,trusted,socket=/s",
		"type=vfio-user,socket=/run/x.sock", "type=vfio-user,name=d,trusted,socket=/x",
		"type=console,name=c,ports=agent:monitor,log=/var/log/c",
		"type=vsock,cid=4294967294", "type=vsock",
		"type=net,queues=8,vhost=on", "type=scsi,queues=1,wwpn=naa.5001405000000001",
		"type=scsi,name=s,queues=8,wwpn=iqn.2003-01.org.x:a_b",
	};
	char text[XVM_SPEC_MAX_BYTES];
	struct xvm_spec_fault fault;
	struct xvm_spec spec;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(texts); i++) {
		assert_int_equal(list(texts[i], &spec, &fault), 0);
		xvm_spec_print(&spec, text);
		assert_string_equal(text, texts[i]);
	}
}

static bool below_three(void *arg, const char *name)
{
	(void)arg;
	return atoi(name + 4) < 3;
}

static void test_make_name(void **state)
{
	char name[XVM_NAME_MAX + 1];

	(void)state;
	xvm_spec_make_name(XVM_KIND_BLK, name, below_three, NULL);
	assert_string_equal(name, "disk3");
	assert_true(xvm_spec_name_ok(name, 5));
}

static void test_lines_good(void **state)
{
	struct xvm_spec_fault fault;
	struct xvm_spec spec;

	(void)state;
	assert_int_equal(lines("type=rng\n", &spec, &fault), 0);
	assert_int_equal(spec.kind, XVM_KIND_RNG);
	assert_int_equal(lines("# entropy\n\ntype=rng", &spec, &fault), 0);
	assert_int_equal(lines("path=/dev/vg/a=b\ntype=blk\n", &spec, &fault), 0);
	assert_int_equal(spec.kind, XVM_KIND_BLK);
	assert_string_equal(spec.path, "/dev/vg/a=b");
	assert_int_equal(lines("target=/a,b\ntype=disk\n", &spec, &fault), 0);
	assert_string_equal(spec.path, "/a,b");
}

static void test_lines_bad(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} cases[] = {
		{ "", 0, "type= is missing" },
		{ "type=blk\ncolour=red\n", 9, "unknown key; known are type, path, format, target" },
		{ "type=rng\ncolour=red\n", 9, "unknown key; known are type" },
		{ "type=rng \n", 5, "type= is none" },
		{ " type=rng\n", 0, "unknown key" },
		{ "type=\n", 5, "type= is none" },
		{ "type=rng\ntype=rng\n", 9, "type is there twice" },
		{ "type=rng\nhello\n", 9, "not key=value" },
		{ "=rng\n", 0, "unknown key" },
		{ "type=blk\n", 0, "needs path=" },
		{ "type=rng\npath=/x\n", 9, "only for type=disk" },
		{ "type=blk\npath=x\n", 14, "not an absolute path" },
		{ "type=blk\npath=/x\naccess=ro\n", 17, "unknown key" },
		{ "type=blk\r\n", 5, "type= is none" },
	};
	struct xvm_spec_fault fault;
	struct xvm_spec spec;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(cases); i++) {
		assert_int_equal(lines(cases[i].text, &spec, &fault), -EINVAL);
		if (!strstr(fault.why, cases[i].why) || fault.at != cases[i].at)
			fail_msg("case %zu: '%s' at %zu, expected '%s' at %zu", i, fault.why, fault.at, cases[i].why,
				 cases[i].at);
	}
	assert_int_equal(xvm_spec_parse(XVM_SPEC_LINES, "type=rng\0x", 10, &spec, &fault), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_good),
		cmocka_unit_test(test_list_bad),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_make_name),
		cmocka_unit_test(test_lines_good),
		cmocka_unit_test(test_lines_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
