// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_server.h"

int main(int argc, char **argv)
{
	return vhost_server(argc, argv);
}
