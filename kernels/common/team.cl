/*
 * Several launches in one: a team of work-groups goes through them as phases. Each claims items of a phase until none is left and waits until all are done before
 * the next. An item is claimed by a group that runs, so whoever waits, waits for work that goes on, however many groups there are and whenever they start; that a group
 * which runs is not put aside for one that waits is what OpenCL 1.2 does not promise and threads of a CPU do (the profile says so: "team").
 * state: for every phase the items that are done, then those claimed of every part; behind all phases the groups that have left. All 0 before and after.
 */
#ifdef __x86_64__
/* Loads and stores of the cores are ordered, so the compiler has to be told. */
#define SKIP_TEAM_FENCE __asm__ volatile("" : : : "memory")
#define SKIP_TEAM_PAUSE __asm__ volatile("pause" : : : "memory")
#else
#define SKIP_TEAM_FENCE mem_fence(CLK_GLOBAL_MEM_FENCE)
#define SKIP_TEAM_PAUSE mem_fence(CLK_GLOBAL_MEM_FENCE)
#endif
#define SKIP_TEAM_LINE 16 /* a counter has a cache line of its own */
#define SKIP_TEAM_PARTS 64
#define SKIP_TEAM_PHASE ((1 + SKIP_TEAM_PARTS) * SKIP_TEAM_LINE)

/*
 * Items first .. last-1 of the `all` there are. Each group begins in a part of its own, the same in every phase, because what it computes next often needs what it
 * computed before; when that is empty it goes on through the parts of the others (*tried of them). Of what is left in a part half is taken at a time.
 */
static inline uint skip_team_claim(volatile __global uint *phase, uint all, uint *tried, uint *first, uint *last)
{
	const uint parts = min((uint)get_num_groups(0), (uint)SKIP_TEAM_PARTS);
	for (; *tried < parts; (*tried)++) {
		const uint part = ((uint)get_group_id(0) + *tried) % parts;
		const uint even = all / parts, begin = part * even + min(part, all % parts), size = even + (part < all % parts ? 1 : 0);
		volatile __global uint *claimed = phase + (1 + part) * SKIP_TEAM_LINE;
		const uint taken = *claimed;
		if (taken >= size) continue;
		const uint share = (size - taken + 1) / 2, at = atomic_add(claimed, share);
		if (at >= size) continue;
		*first = begin + at;
		*last = begin + min(at + share, size);
		return 1;
	}
	return 0;
}

static inline void skip_team_done(volatile __global uint *phase, uint items)
{
	SKIP_TEAM_FENCE;
	atomic_add(phase, items);
}

static inline void skip_team_wait(volatile __global uint *phase, uint all)
{
	while (*phase < all) SKIP_TEAM_PAUSE;
	SKIP_TEAM_FENCE;
}

/* The last one to leave sets all back. */
static inline void skip_team_leave(volatile __global uint *state, uint phases)
{
	const uint parts = min((uint)get_num_groups(0), (uint)SKIP_TEAM_PARTS);
	volatile __global uint *left = state + phases * SKIP_TEAM_PHASE;
	if (atomic_inc(left) + 1 < (uint)get_num_groups(0)) return;
	for (uint p = 0; p < phases; p++) {
		for (uint line = 0; line <= parts; line++) state[p * SKIP_TEAM_PHASE + line * SKIP_TEAM_LINE] = 0;
	}
	*left = 0;
}
