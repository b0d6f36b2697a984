// SPDX-License-Identifier: MIT
/*
 * Replays a corpus through one fuzz target without libFuzzer: what `make check`
 * links with each tests/fuzz/NAME_fuzz.c. Runs every file of
 * tests/fuzz/corpus/NAME/ (or of the folders and files named) and prints one
 * TAP line; a corpus without files is a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *whole, *exact;
	size_t n;

	if (!f)
		return 0;
	whole = malloc(INPUT_BYTES);
	n = fread(whole, 1, INPUT_BYTES, f);
	fclose(f);
	/* A block of just this size, so that the sanitizer sees a read beyond it. */
	exact = malloc(n ? n : 1);
	memcpy(exact, whole, n);
	free(whole);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 1;
}

static unsigned int replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	unsigned int n = 0;
	char name[4096];

	if (!dir)
		return replay_file(path);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		n += replay_file(name);
	}
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	const char *end = strstr(name, "_fuzz");
	unsigned int n = 0;
	char corpus[4096];
	int i;

	snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%.*s",
		 end ? (int)(end - name) : (int)strlen(name), name);
	for (i = 1; i < argc; i++)
		n += replay(argv[i]);
	if (argc == 1)
		n = replay(corpus);
	printf("%sok 1 - corpus of %u inputs\n1..1\n", n ? "" : "not ", n);
	return n ? 0 : 1;
}
