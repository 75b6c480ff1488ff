/* Monotonic seconds since an arbitrary start, and the ISO date of now (UTC). */
#ifndef SKIP_BASE_CLOCK_H
#define SKIP_BASE_CLOCK_H

double skip_clock_seconds(void);
void skip_clock_date(char out[32]); /* "2026-01-31T12:00:00Z" */

#endif
