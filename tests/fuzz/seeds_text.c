/* The seeds of the other targets: short files that are read whole. */
#include "base/bytes.h"
#include "fuzz.h"

#include <string.h>

#define NPY "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                                                           \n"
/* The key of SPEC.md's example, in the clear; and with the limits of one that is encrypted. */
#define SECRET "untrusted comment: minisign unencrypted secret key\n" \
	"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQIDBAUGBwgAAQIDBAUGBwgJCgsMDQ4PEBES" \
	"ExQVFhcYGRobHB0eHwOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define ENCRYPTED "untrusted comment: minisign encrypted secret key\n" \
	"RWRTY0IyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAAAAAAAAAEAAAAAAAQIDBAUGBwgAAQIDBAUGBwgJCgsMDQ4PEBES" \
	"ExQVFhcYGRobHB0eHwOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

static const struct seed {
	const char *target, *text;
	size_t n_zeros; /* behind the text */
} seeds[] = {
	{"safetensors", "{\"wte.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24},
	{"safetensors", "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[2,10]},"
	                "\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,2],\"data_offsets\":[0,2]}}   ", 10},
	{"npy", NPY, 24},
	{"npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n", 24},
	{"npy", "{\"shape\":(),\"descr\":\"<f2\",\"fortran_order\":False}\n", 2},
	{"key", "untrusted comment: minisign public key E7620F1842B4E81F\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n", 0},
	{"key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", 0},
	{"key", SECRET, 0},
	{"key", ENCRYPTED, 0},
	{"card", "{\"name\": \"x\", \"numbers\": [1, -2.5e3, true, null], \"deep\": {\"a\": {}}}", 0},
	{"card", "{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98\": \"\\u00e9\\ud83d\\udc18\\n\"}\n\t{}", 0},
};

/* The text with what goes before it. */
static size_t put_front(uint8_t *dest, const char *target, size_t n)
{
	if (strcmp(target, "safetensors") == 0) {
		smol_put64(dest, n);
		return 8;
	}
	if (strcmp(target, "npy") != 0)
		return 0;
	memcpy(dest, "\x93NUMPY\x01\x00", 8);
	smol_put16(dest + 8, (uint16_t)n);
	return 10;
}

void fuzz_seeds(fuzz_take *take)
{
	uint8_t bytes[1024] = {0};

	for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
		const struct seed *s = &seeds[i];
		const size_t n = strlen(s->text);
		size_t at;
		if (strcmp(s->target, fuzz_name) != 0)
			continue;
		at = put_front(bytes, s->target, n);
		memcpy(bytes + at, s->text, n);
		memset(bytes + at + n, 0, s->n_zeros);
		take(bytes, at + n + s->n_zeros);
	}
}
