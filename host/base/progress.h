/*
 * Long work reports through this hook and asks it whether to go on.
 * stage: "tune", "score", ...; done of total units; note: short text ("dev 0.889") or "". Return false to stop: the work then ends with
 * SKIP_ERR_INTERRUPTED, keeping what is finished.
 */
#ifndef SKIP_BASE_PROGRESS_H
#define SKIP_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct skip_progress {
	bool (*report)(void *context, const char *stage, int64_t done, int64_t total, const char *note);
	void *context;
};

/* NULL progress or NULL report always goes on. */
static inline bool skip_progress_report(const struct skip_progress *p, const char *stage, int64_t done, int64_t total, const char *note)
{
	return !p || !p->report || p->report(p->context, stage, done, total, note);
}

#endif
