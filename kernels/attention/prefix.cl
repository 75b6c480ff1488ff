/*
 * The prefix of every sequence where it drops, and the sums of its gradients; cpu.cl and dot.cl work on what is made here and give what is added here.
 *
 *   PREFIX  the prefix of every sequence with its dropout factors. One work-item per slot and sequence
 *   SUM     a prefix gradient: the parts times the dropout factors, added over the sequences in order. One work-item per slot and vector
 *           of columns
 *
 * COLS = H * QK or H * V; P: prefix rows; B sequences at run time; DROPOUT 1: there are factors (kernels/common/dropout.cl) with THRESHOLD = rate * 2^32,
 * KEPT = 1/(1-rate).
 */
#ifndef SKIP_ATTENTION_P
#error "SKIP_ATTENTION_P: prefix rows"
#endif
#ifndef SKIP_ATTENTION_VEC
#error "SKIP_ATTENTION_VEC: lanes, 4, 8 or 16"
#endif
#ifndef SKIP_ATTENTION_DROPOUT
#error "SKIP_ATTENTION_DROPOUT: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_COLS
#error "SKIP_ATTENTION_COLS: columns of the prefix"
#endif
#ifndef SKIP_ATTENTION_THRESHOLD
#error "SKIP_ATTENTION_THRESHOLD: rate * 2^32"
#endif
#ifndef SKIP_ATTENTION_KEPT
#error "SKIP_ATTENTION_KEPT: 1/(1-rate)"
#endif
#define SKIP_ATTENTION_F SKIP_PASTE(float, SKIP_ATTENTION_VEC)
/* Factors of VEC elements from `index`, or of one. */
#define SKIP_ATTENTION_FACTORS(index)                                                                                                     \
	SKIP_PASTE(skip_dropout_f, SKIP_ATTENTION_VEC)(key, (uint)stream, index, (uint)SKIP_ATTENTION_THRESHOLD, SKIP_ATTENTION_KEPT)
#define SKIP_ATTENTION_FACTOR(index) skip_dropout_f1(key, (uint)stream, index, (uint)SKIP_ATTENTION_THRESHOLD, SKIP_ATTENTION_KEPT)
#define SKIP_ATTENTION_LOAD(i, p) SKIP_AT(__global const, float, SKIP_ATTENTION_VEC, i, p)
#define SKIP_ATTENTION_STORE(v, i, p) SKIP_AT(__global, float, SKIP_ATTENTION_VEC, i, p) = (v)

#ifdef SKIP_ATTENTION_KERNEL_PREFIX
SKIP_KERNEL(SKIP_ATTENTION_GROUP) void SKIP_ATTENTION_NAME(
	SKIP_ITEM
	__global const float *restrict prefix, /* [P][COLS] */
	__global float *restrict dropped,      /* [B][P][COLS] */
	int stream, uint key)
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_COLS > 0 && SKIP_ATTENTION_P > 0 && SKIP_ATTENTION_DROPOUT);
	const uint slot = SKIP_ID(0), from = slot * SKIP_ATTENTION_COLS;
	const uint to = (SKIP_ID(1) * SKIP_ATTENTION_P + slot) * SKIP_ATTENTION_COLS;
	uint c = 0;
	for (; c + SKIP_ATTENTION_VEC <= SKIP_ATTENTION_COLS; c += SKIP_ATTENTION_VEC) {
		SKIP_ATTENTION_STORE(SKIP_ATTENTION_LOAD(0, prefix + from + c) * SKIP_ATTENTION_FACTORS(to + c), 0, dropped + to + c);
	}
	for (; c < SKIP_ATTENTION_COLS; c++)
		dropped[to + c] = prefix[from + c] * SKIP_ATTENTION_FACTOR(to + c);
}
#endif

#ifdef SKIP_ATTENTION_KERNEL_SUM
SKIP_KERNEL(SKIP_ATTENTION_GROUP) void SKIP_ATTENTION_NAME(
	SKIP_ITEM
	__global const float *restrict parts, /* [B][P][COLS] */
	__global float *restrict dprefix,     /* [P][COLS] */
	int sequences                         /* B */
#if SKIP_ATTENTION_DROPOUT
	, int stream, uint key
#endif
)
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_COLS > 0 && SKIP_ATTENTION_P > 0);
	const uint start = SKIP_ID(0) * SKIP_ATTENTION_COLS, from = SKIP_ID(1) * SKIP_ATTENTION_VEC;
	const uint end = (uint)sequences * (SKIP_ATTENTION_P * SKIP_ATTENTION_COLS);
	if (from + SKIP_ATTENTION_VEC <= SKIP_ATTENTION_COLS) {
		SKIP_ATTENTION_F total = (SKIP_ATTENTION_F)(0.0f);
		for (uint i = start + from; i < end; i += SKIP_ATTENTION_P * SKIP_ATTENTION_COLS) {
			SKIP_ATTENTION_F part = SKIP_ATTENTION_LOAD(0, parts + i);
#if SKIP_ATTENTION_DROPOUT
			part *= SKIP_ATTENTION_FACTORS(i);
#endif
			total += part;
		}
		SKIP_ATTENTION_STORE(total, 0, dprefix + start + from);
		return;
	}
	for (uint c = from; c < SKIP_ATTENTION_COLS; c++) {
		float total = 0.0f;
		for (uint i = start + c; i < end; i += SKIP_ATTENTION_P * SKIP_ATTENTION_COLS) {
#if SKIP_ATTENTION_DROPOUT
			total += parts[i] * SKIP_ATTENTION_FACTOR(i);
#else
			total += parts[i];
#endif
		}
		dprefix[start + c] = total;
	}
}
#endif

#undef SKIP_ATTENTION_F
#undef SKIP_ATTENTION_FACTORS
#undef SKIP_ATTENTION_FACTOR
#undef SKIP_ATTENTION_LOAD
#undef SKIP_ATTENTION_STORE
