/*
 * Random plans, valid and broken, over random numbers, on arrays that end where the plan says they end: under the
 * address and undefined-behaviour sanitizers every access outside of them ends the program. What the kernels compute
 * is compared with each other here, and with the portable kernel by the tests in TypeScript.
 */
#include "penstock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANS = 400, MAX_STEPS = 24, MAX_TABLE = HEADER + 2 * MAX_STEPS * (WINDOW + STEP) };

static uint64_t seed = 88172645463325252u;

/* xorshift64: 0 … n-1. */
static int32_t below(int32_t n) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (int32_t)(seed % (uint64_t)n);
}

static double number(void) {
  static const double nasty[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 5e-324, 1e308, -1e308, 1e-300, -1.0};
  if (below(40) == 0) return nasty[below(10)];
  return 100.0 + below(2000) / 1000.0;
}

static int32_t rows;

static int32_t take(int32_t count) {
  rows += count;
  return rows - count;
}

/* Windows by source and period; `rings` of a wanted one is not known yet. */
enum { LONGEST = 32 };
static struct window wanted[SOURCES][LONGEST];

/* Lays the wanted windows out, those of a source on the same rings. */
static int32_t lay_windows(struct window *windows, int32_t *results) {
  int32_t count = 0;
  for (int32_t source = 0; source < SOURCES; source++) {
    int32_t first = count, both = source == SOURCE_CLOSE ? 2 : 1;
    for (int32_t n = 0; n < LONGEST; n++) {
      if (wanted[source][n].period == 0) continue;
      wanted[source][n].result = *results;
      *results += both;
      windows[count++] = wanted[source][n];
    }
    if (count == first) continue;
    int32_t own = ring_rows(windows[count - 1].period) - (source != SOURCE_VOLUME && source != SOURCE_TURNOVER);
    int32_t rings = take(both * own);
    for (int32_t w = first; w < count; w++) windows[w].rings = rings;
  }
  return count;
}

/* A valid plan. */
static int32_t random_plan(int32_t *table, double *numbers) {
  int32_t steps = 1 + below(MAX_STEPS - 1);
  struct window window[2 * MAX_STEPS];
  struct step step[MAX_STEPS];
  static const int32_t own[KINDS] = {[EMA] = 1, [RSI] = 2, [ATR] = 1, [ADX] = 4, [MACD] = 3, [OBV] = 1};
  static const int32_t shown[KINDS] = {1, 1, 1, 1, 3, 3, 1, 1, 3, 2, 1, 1, 1, 1, 1, 1};
  static const int32_t sources[KINDS][2] = {
      [VOLUME_RATIO] = {SOURCE_VOLUME, SOURCE_HIGH}, [STOCHASTIC] = {SOURCE_HIGH, SOURCE_LOW},
      [HIGHEST] = {SOURCE_HIGH, SOURCE_LOW},         [LOWEST] = {SOURCE_LOW, SOURCE_LOW},
      [VOLUME_AVERAGE] = {SOURCE_VOLUME, SOURCE_LOW}, [VWAP] = {SOURCE_TURNOVER, SOURCE_VOLUME}};
  rows = COMMON_ROWS;
  memset(wanted, 0, sizeof wanted);
  int32_t outputs = 0, results = 0;
  for (int32_t i = 0; i < steps; i++) {
    struct step *s = &step[i];
    memset(s, 0, sizeof *s);
    s->kind = below(KINDS);
    s->period = 2 + below(LONGEST - 2);
    if (s->kind == MACD) {
      s->second = s->period + 1 + below(20);
      s->third = 1 + below(9);
    }
    if (s->kind == STOCHASTIC) {
      s->second = 1 + below(6);
      s->third = 1 + below(6);
    }
    for (int32_t w = 0; w < 2; w++) {
      int32_t source = sources[s->kind][w];
      wanted[source][s->period] = (struct window){source, s->period, 0, 0};
    }
    s->state = take(s->kind == STOCHASTIC ? ring_rows(s->second) + ring_rows(s->third) : own[s->kind]);
    s->output = outputs;
    outputs += shown[s->kind];
    double *four = &numbers[i * NUMBERS];
    four[0] = 2;
    four[1] = 1.0 / s->period;
    four[2] = s->second > 0 ? 1.0 / s->second : 0;
    four[3] = s->third > 0 ? 1.0 / s->third : 0;
  }
  int32_t windows = lay_windows(window, &results);
  for (int32_t i = 0; i < steps; i++) {
    step[i].first_window = wanted[sources[step[i].kind][0]][step[i].period].result;
    step[i].second_window = wanted[sources[step[i].kind][1]][step[i].period].result;
  }
  for (int32_t w = 0; w < windows; w++) numbers[steps * NUMBERS + w] = 1.0 / window[w].period;
  const struct header header = {TABLE_VERSION, windows, steps, rows, outputs, results, {0, 0}};
  int32_t *at = table;
  memcpy(at, &header, sizeof header);
  memcpy(at += HEADER, window, sizeof *window * (size_t)windows);
  memcpy(at += windows * WINDOW, step, sizeof *step * (size_t)steps);
  return (int32_t)(at - table) + steps * STEP;
}

static void *exactly(const void *from, size_t size) {
  void *copy = malloc(size > 0 ? size : 1);
  if (copy == NULL) abort();
  if (from != NULL) memcpy(copy, from, size);
  else memset(copy, 0, size);
  return copy;
}

static int same(const double *a, const double *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return 0;
  }
  return 1;
}

static int failures;

static void expect(int condition, const char *what, int32_t plan) {
  if (condition) return;
  printf("plan %d: %s\n", plan, what);
  failures++;
}

int main(void) {
  int32_t kernels = penstock_kernels();
  expect(kernels >> 8 == PENSTOCK_ABI && (kernels & 1) == 1, "kernels are not told", -1);
  int32_t refused = 0, accepted = 0;
  for (int32_t plan = 0; plan < PLANS; plan++) {
    static int32_t table[MAX_TABLE];
    static double numbers[MAX_STEPS * (NUMBERS + 2)];
    int32_t length = random_plan(table, numbers);
    const struct header *h = (const struct header *)table;
    int32_t doubles = h->steps * NUMBERS + h->windows;
    int32_t groups = 1 + below(6), count = 1 + below(60), stride = count * BAR + 8 * below(3);
    int32_t blocks = (int32_t)blocks_of(groups), state_length = blocks * rows * ROW, row = blocks * h->output_rows * ROW;
    int32_t each = below(2) ? row : 0, out_length = row + each * (count - 1);
    int32_t bars_length = (groups - 1) * stride + count * BAR;

    double *bars = exactly(NULL, sizeof *bars * (size_t)bars_length);
    for (int32_t i = 0; i < bars_length; i++) bars[i] = number();
    int32_t *own_table = exactly(table, sizeof *table * (size_t)length);
    double *own_numbers = exactly(numbers, sizeof *numbers * (size_t)doubles);
    double *states[KERNELS] = {0}, *outs[KERNELS] = {0};
    struct call call = {PENSTOCK_ABI, 0,      length, doubles, bars_length, state_length,
                        out_length,   0,      stride, groups,  count,       each};
    for (int32_t k = 0; k < KERNELS; k++) {
      if (!(kernels >> k & 1)) continue;
      states[k] = exactly(NULL, sizeof **states * (size_t)state_length);
      outs[k] = exactly(NULL, sizeof **outs * (size_t)out_length);
      call.kernel = k;
      expect(penstock_run(&call, own_table, own_numbers, bars, states[k], outs[k]) == 0, "a valid plan is refused", plan);
      expect(same(states[k], states[0], state_length), "states differ", plan);
      expect(same(outs[k], outs[0], out_length), "outputs differ", plan);
    }

    /* One broken number of the table or of the call: it is refused, or it does no harm. */
    for (int32_t attempt = 0; attempt < 40; attempt++) {
      static const int32_t odd[] = {-1, 0, 1, 7, 1 << 24, INT32_MAX, INT32_MIN};
      int32_t value = below(3) ? odd[below(7)] : below(400);
      struct call broken = call;
      int32_t *field = below(2) ? &own_table[below(length)] : (int32_t *)&broken + 7 + below(5);
      int32_t before = *field;
      *field = value;
      broken.kernel = below(KERNELS);
      if (penstock_run(&broken, own_table, own_numbers, bars, states[0], outs[0]) != 0) refused++;
      else accepted++;
      *field = before;
    }
    /* A state that no run leaves does no harm either. */
    for (int32_t i = 0; i < state_length; i++) states[0][i] = below(4) ? number() * below(1000) : -number();
    call.kernel = 0;
    expect(penstock_run(&call, own_table, own_numbers, bars, states[0], outs[0]) == 0, "a valid call is refused", plan);

    call.abi++;
    expect(penstock_run(&call, own_table, own_numbers, bars, states[0], outs[0]) == WRONG_ABI, "another ABI runs", plan);
    call.abi--;
    expect(penstock_run(&call, own_table, own_numbers, (double *)((char *)bars + 4), states[0], outs[0]) == MISALIGNED,
           "misaligned bars are taken", plan);
    free(bars);
    free(own_table);
    free(own_numbers);
    for (int32_t k = 0; k < KERNELS; k++) {
      free(states[k]);
      free(outs[k]);
    }
  }
  printf("C tests: %d plans, %d broken ones refused, %d harmless, %d failures\n", PLANS, refused, accepted, failures);
  return failures == 0 ? 0 : 1;
}
