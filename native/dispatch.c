/*
 * The only two functions that the program calls. Whatever the tables and lengths say, nothing outside the given arrays
 * is touched: src/native.ts checks before it calls, and this checks again, because here a mistake would be silent.
 */
#include "penstock.h"

#include <stddef.h>

_Static_assert(sizeof(struct header) == HEADER * 4, "tables have no padding");
_Static_assert(sizeof(struct window) == WINDOW * 4 && sizeof(struct step) == STEP * 4, "tables have no padding");
_Static_assert(sizeof(struct numbers) == NUMBERS * 8, "numbers have no padding");

static kernel *const KERNEL_OF[KERNELS] = {penstock_sse2, penstock_avx2, penstock_avx512};

int32_t penstock_kernels(void) {
  __builtin_cpu_init();
  int32_t kernels = 1 << SSE2;
  /* All of x86-64-v3 and v4 that a compiler may use, not only the vectors. */
  int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt") &&
           __builtin_cpu_supports("movbe");
  int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  if (v3) kernels |= 1 << AVX2;
  if (v4) kernels |= 1 << AVX512;
  return PENSTOCK_ABI << 8 | kernels;
}

/* Far above any plan, and small enough that sums of a few of them do not overflow. */
enum { LIMIT = 1 << 24 };

/* Whether rows from..from+count-1 of `rows` exist. */
static int rows_exist(int32_t from, int32_t count, int32_t rows) {
  return from >= 0 && count >= 0 && from <= LIMIT && count <= LIMIT && from + count <= rows;
}

static int is_period(int32_t n) { return n >= 1 && n <= LIMIT; }

/* The windows of one source follow each other, the shortest first, and share their rings. */
static int window_fits(const struct window *w, const struct window *before, int32_t rows, int32_t results, char *known) {
  if (w->source < 0 || w->source >= SOURCES || w->period < 2 || !is_period(w->period)) return 0;
  if (before != NULL && before->source == w->source && (before->rings != w->rings || before->period >= w->period)) {
    return 0;
  }
  /* The closes have rings of sums and of squares, and two results. */
  int32_t both = w->source == SOURCE_CLOSE ? 2 : 1;
  int32_t own = ring_rows(w->period) - (w->source != SOURCE_VOLUME && w->source != SOURCE_TURNOVER);
  if (!rows_exist(w->rings, both * own, rows) || w->rings < COMMON_ROWS) return 0;
  if (!rows_exist(w->result, both, results)) return 0;
  for (int32_t row = 0; row < both; row++) known[w->result + row] = 1;
  return 1;
}

static int results_known(int32_t from, int32_t count, const char *known) {
  if (!rows_exist(from, count, MAX_RESULT_ROWS)) return 0;
  for (int32_t row = 0; row < count; row++) {
    if (!known[from + row]) return 0;
  }
  return 1;
}

static int step_fits(const struct step *s, const struct header *h, const char *known) {
  static const int32_t own[KINDS] = {[EMA] = 1, [RSI] = 2, [ATR] = 1, [ADX] = 4, [MACD] = 3, [OBV] = 1};
  static const int32_t shown[KINDS] = {1, 1, 1, 1, 3, 3, 1, 1, 3, 2, 1, 1, 1, 1, 1, 1};
  static const int32_t first[KINDS] = {[SMA] = 1,    [BOLLINGER] = 2, [VOLUME_RATIO] = 1,       [STOCHASTIC] = 1,
                                       [HIGHEST] = 1, [LOWEST] = 1,    [STANDARD_DEVIATION] = 2, [VOLUME_AVERAGE] = 1,
                                       [VWAP] = 1};
  if (s->kind < 0 || s->kind >= KINDS) return 0;
  if (s->period < 0 || s->period > LIMIT || s->second < 0 || s->second > LIMIT || s->third < 0 || s->third > LIMIT) {
    return 0;
  }
  if (!results_known(s->first_window, first[s->kind], known)) return 0;
  if (!results_known(s->second_window, s->kind == STOCHASTIC || s->kind == VWAP, known)) return 0;
  if (!rows_exist(s->output, shown[s->kind], h->output_rows)) return 0;
  if (s->kind != STOCHASTIC) return rows_exist(s->state, own[s->kind], h->state_rows);
  return is_period(s->second) && is_period(s->third) &&
         rows_exist(s->state, ring_rows(s->second) + ring_rows(s->third), h->state_rows);
}

static int read_plan(struct plan *plan, const int32_t *table, int32_t length, const double *numbers, int32_t doubles) {
  if (length < HEADER) return 0;
  const struct header *h = (const struct header *)table;
  if (h->version != TABLE_VERSION) return 0;
  if (h->windows < 0 || h->steps < 0 || h->state_rows < COMMON_ROWS || h->output_rows < 0) return 0;
  if (h->windows > LIMIT || h->steps > LIMIT || h->state_rows > LIMIT || h->output_rows > LIMIT) return 0;
  if (h->result_rows < 0 || h->result_rows > MAX_RESULT_ROWS) return 0;
  if (HEADER + (int64_t)h->windows * WINDOW + (int64_t)h->steps * STEP > length) return 0;
  if ((int64_t)h->steps * NUMBERS + h->windows > doubles) return 0;
  plan->header = *h;
  plan->windows = (const struct window *)(table + HEADER);
  plan->steps = (const struct step *)(table + HEADER + h->windows * WINDOW);
  plan->numbers = (const struct numbers *)numbers;
  plan->window_weights = numbers + (int64_t)h->steps * NUMBERS;
  char known[MAX_RESULT_ROWS] = {0};
  int64_t windows = 0, averages = 0;
  for (int32_t i = 0; i < h->windows; i++) {
    const struct window *before = i > 0 ? &plan->windows[i - 1] : NULL;
    if (!window_fits(&plan->windows[i], before, h->state_rows, h->result_rows, known)) return 0;
    if (ring_reach(plan->windows[i].period) > windows) windows = ring_reach(plan->windows[i].period);
  }
  for (int32_t i = 0; i < h->steps; i++) {
    const struct step *s = &plan->steps[i];
    if (!step_fits(s, h, known)) return 0;
    int64_t reach = s->kind == STOCHASTIC ? ring_reach(s->second) + ring_reach(s->third) : 0;
    if (reach > averages) averages = reach;
  }
  plan->reach = windows + averages;
  return 1;
}

static int misaligned(const void *p, size_t size) { return (uintptr_t)p % size != 0; }

static int lengths_fit(const struct call *call, const struct header *h) {
  if (call->offset < 0 || call->stride < 0 || call->groups < 0 || call->count < 0 || call->each < 0) return 0;
  if (call->groups == 0 || call->count == 0) return 1;
  int64_t blocks = blocks_of(call->groups), last = call->groups - 1, later = call->count - 1;
  int64_t outputs = blocks * h->output_rows * ROW;
  return call->offset + last * call->stride + later * BAR + BAR <= call->bars_length &&
         blocks * h->state_rows * ROW <= call->state_length && later * call->each + outputs <= call->out_length;
}

int32_t penstock_run(const struct call *call, const int32_t *table, const double *numbers, const double *bars,
                     double *state, double *out) {
  if (misaligned(call, 4) || misaligned(table, 4) || misaligned(numbers, 8) || misaligned(bars, 8) ||
      misaligned(state, 8) || misaligned(out, 8)) {
    return MISALIGNED;
  }
  if (call->abi != PENSTOCK_ABI) return WRONG_ABI;
  if (call->kernel < 0 || call->kernel >= KERNELS || !(penstock_kernels() >> call->kernel & 1)) return WRONG_KERNEL;
  struct plan plan;
  if (!read_plan(&plan, table, call->table_length, numbers, call->numbers_length)) return WRONG_TABLE;
  if (!lengths_fit(call, &plan.header)) return WRONG_LENGTH;
  if (call->groups == 0 || call->count == 0) return 0;
  KERNEL_OF[call->kernel](&plan, call, bars, state, out);
  return 0;
}
