#include "base/rng.h"
#include "check.h"
#include <string.h>

/* Values from an independent calculation of the formula in the header. */
Test(rng, hash_has_the_documented_bits)
{
	static const uint32_t rows[][4] = {
	    {0, 0, 0, 0}, {1, 2, 3, 0x3f8f8e9a}, {0xdeadbeef, 61, 0xffffffff, 0x71f81493}, {7, 0, 1, 0x5d3902d3}, {7, 1, 0, 0x48f35c85},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect(eq(u32, skip_rng_hash(rows[i][0], rows[i][1], rows[i][2]), rows[i][3]));
}

/* The published first outputs of splitmix64 from state 1234567. */
Test(rng, sequence_is_splitmix64)
{
	struct skip_rng rng = {1234567};
	cr_assert(eq(u64, skip_rng_next(&rng), 6457827717110365317ULL));
	cr_assert(eq(u64, skip_rng_next(&rng), 3203168211198807973ULL));
	cr_assert(eq(u64, skip_rng_next(&rng), 9817491932198370423ULL));
}

Test(rng, streams_and_seeds_are_apart_and_repeatable)
{
	static const char *const names[] = {"init", "order", "dropout", "split", "calibration"};
	uint64_t first[15];
	for (size_t i = 0; i < 15; i++) {
		struct skip_rng rng, again;
		skip_rng_init(&rng, i / 5, names[i % 5]);
		skip_rng_init(&again, i / 5, names[i % 5]);
		first[i] = skip_rng_next(&rng);
		cr_assert(eq(u64, first[i], skip_rng_next(&again)));
		for (size_t j = 0; j < i; j++) cr_assert(first[i] != first[j]);
	}
}

Test(rng, uniform_and_normal_moments)
{
	struct skip_rng rng;
	double sum = 0, square = 0, normal = 0, normal_square = 0;
	const int n = 100000;
	skip_rng_init(&rng, 7, "moments");
	for (int i = 0; i < n; i++) {
		double u = skip_rng_uniform(&rng), z = skip_rng_normal(&rng);
		cr_assert(u >= 0 && u < 1 && isfinite(z));
		sum += u;
		square += u * u;
		normal += z;
		normal_square += z * z;
	}
	/* 5 standard errors of each estimate */
	cr_assert(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12 / n));
	cr_assert(fabs(square / n - 1.0 / 3) < 5 * sqrt(4.0 / 45 / n));
	cr_assert(fabs(normal / n) < 5 * sqrt(1.0 / n));
	cr_assert(fabs(normal_square / n - 1) < 5 * sqrt(2.0 / n));
}

Test(rng, below_covers_its_range_evenly)
{
	struct skip_rng rng;
	int count[7] = {0};
	skip_rng_init(&rng, 1, "below");
	for (int i = 0; i < 70000; i++) {
		uint64_t r = skip_rng_below(&rng, 7);
		cr_assert(r < 7);
		count[r]++;
	}
	for (int i = 0; i < 7; i++) cr_expect(abs(count[i] - 10000) < 500);
	for (int i = 0; i < 20; i++) cr_assert(skip_rng_below(&rng, 1) == 0);
	for (int i = 0; i < 20; i++) cr_assert(skip_rng_below(&rng, (1ULL << 63) + 1) <= 1ULL << 63);
}

Test(rng, permutations_hold_every_index_once)
{
	struct skip_rng rng;
	int order[61], again[61], seen[61] = {0};
	skip_rng_init(&rng, 1, "order");
	skip_rng_permute(&rng, order, 61);
	for (int i = 0; i < 61; i++) seen[order[i]]++;
	for (int i = 0; i < 61; i++) cr_assert(seen[i] == 1);
	skip_rng_permute(&rng, again, 61);
	cr_assert(memcmp(order, again, sizeof(order)) != 0);
	skip_rng_permute(&rng, again, 1);
	cr_assert(again[0] == 0);
	skip_rng_permute(&rng, again, 0);
}

/* Every order of three elements is equally likely. */
Test(rng, permutations_are_fair)
{
	struct skip_rng rng;
	int count[27] = {0}, order[3];
	skip_rng_init(&rng, 3, "order");
	for (int i = 0; i < 60000; i++) {
		skip_rng_permute(&rng, order, 3);
		count[order[0] * 9 + order[1] * 3 + order[2]]++;
	}
	static const int codes[6] = {5, 7, 11, 15, 19, 21};
	for (int i = 0; i < 6; i++) cr_expect(abs(count[codes[i]] - 10000) < 500);
}
