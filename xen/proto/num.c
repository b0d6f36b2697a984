// SPDX-License-Identifier: MIT
#include "num.h"

int xvm_parse_u32(const char *text, size_t len, u32 max, u32 *value)
{
	u64 v = 0;
	size_t i;

	if (!len || len > 10 || (text[0] == '0' && len > 1))
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (u64)(text[i] - '0');
	}
	if (v > max)
		return -ERANGE;
	*value = (u32)v;
	return 0;
}

int xvm_parse_id64(const char *text, size_t len, u64 *value)
{
	u64 v = 0;
	size_t i;

	if (len != 16)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (u64)(c - 'a' + 10);
		else
			return -EINVAL;
	}
	*value = v;
	return 0;
}

bool xvm_list_has(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word), start = 0, i;

	for (i = 0; i <= len; i++) {
		if (i < len && list[i] != ',')
			continue;
		if (n && i - start == n && !memcmp(list + start, word, n))
			return true;
		start = i + 1;
	}
	return false;
}
