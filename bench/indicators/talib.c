/*
 * TA-Lib beside our kernels: reads series from a file (int32 series, int32 bars, then per series high, low, close and
 * volume as doubles) and answers commands on standard input: "all" computes every bar, "last" the last bar as cleverly
 * as TA-Lib allows (windows at the last bar only, recursions over all the history), each printing nanoseconds; "values"
 * prints the last row of every series.
 *
 * The functions are declared here, because packages that bring the library do not bring its header.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int TA_Initialize(void);
int TA_EMA(int, int, const double *, int, int *, int *, double *);
int TA_SMA(int, int, const double *, int, int *, int *, double *);
int TA_RSI(int, int, const double *, int, int *, int *, double *);
int TA_ATR(int, int, const double *, const double *, const double *, int, int *, int *, double *);
int TA_ADX(int, int, const double *, const double *, const double *, int, int *, int *, double *);
int TA_PLUS_DI(int, int, const double *, const double *, const double *, int, int *, int *, double *);
int TA_MINUS_DI(int, int, const double *, const double *, const double *, int, int *, int *, double *);
int TA_MACD(int, int, const double *, int, int, int, int *, int *, double *, double *, double *);
int TA_BBANDS(int, int, const double *, int, double, double, int, int *, int *, double *, double *, double *);
int TA_STOCH(int, int, const double *, const double *, const double *, int, int, int, int, int, int *, int *, double *,
             double *);
int TA_STDDEV(int, int, const double *, int, double, int *, int *, double *);
int TA_OBV(int, int, const double *, const double *, int *, int *, double *);
int TA_MAX(int, int, const double *, int, int *, int *, double *);
int TA_MIN(int, int, const double *, int, int *, int *, double *);

enum { OUTPUTS = 22, MAX_BARS = 4096 };

static double out[OUTPUTS][MAX_BARS];
static int length[OUTPUTS];

static void check(int code) {
  if (code == 0) return;
  fprintf(stderr, "TA-Lib says %d\n", code);
  exit(1);
}

/* In the order of the rows of the plan of bench/indicators/full-set.ts. */
static void compute(const double *h, int n, int w) {
  const double *l = h + n, *c = l + n, *v = c + n;
  int b, e = n - 1;
  check(TA_EMA(0, e, c, 20, &b, &length[0], out[0]));
  check(TA_EMA(0, e, c, 50, &b, &length[1], out[1]));
  check(TA_RSI(0, e, c, 14, &b, &length[3], out[3]));
  check(TA_ATR(0, e, h, l, c, 14, &b, &length[4], out[4]));
  check(TA_ADX(0, e, h, l, c, 14, &b, &length[5], out[5]));
  check(TA_PLUS_DI(0, e, h, l, c, 14, &b, &length[6], out[6]));
  check(TA_MINUS_DI(0, e, h, l, c, 14, &b, &length[7], out[7]));
  check(TA_MACD(0, e, c, 12, 26, 9, &b, &length[8], out[8], out[9], out[10]));
  check(TA_BBANDS(w, e, c, 20, 2, 2, 0, &b, &length[11], out[11], out[12], out[13]));
  check(TA_STOCH(w, e, h, l, c, 14, 3, 0, 3, 0, &b, &length[14], out[14], out[15]));
  check(TA_SMA(w, e, v, 20, &b, &length[16], out[16]));
  check(TA_OBV(0, e, c, v, &b, &length[18], out[18]));
  check(TA_MAX(w, e, h, 20, &b, &length[19], out[19]));
  check(TA_MIN(w, e, l, 20, &b, &length[20], out[20]));
  check(TA_STDDEV(w, e, c, 20, 1, &b, &length[21], out[21]));
  /* The middle band is the SMA. */
  memcpy(out[2], out[12], sizeof(double) * (size_t)length[11]);
  length[2] = length[12] = length[13] = length[11];
  length[9] = length[10] = length[8];
  length[15] = length[14];
  length[17] = length[16];
  for (int i = 0; i < length[16]; i++) out[17][i] = v[n - length[16] + i] / out[16][i];
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  int size[2];
  if (file == NULL || fread(size, sizeof size, 1, file) != 1 || size[1] > MAX_BARS) return 2;
  size_t series = (size_t)size[0], bars = (size_t)size[1];
  double *all = malloc(series * bars * 4 * sizeof *all);
  if (all == NULL || fread(all, bars * 4 * sizeof *all, series, file) != series) return 2;
  check(TA_Initialize());
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    int values = strncmp(line, "values", 6) == 0;
    double start = now();
    for (size_t s = 0; s < series; s++) {
      compute(all + s * bars * 4, (int)bars, strncmp(line, "last", 4) == 0 ? (int)bars - 1 : 0);
      for (int o = 0; values && o < OUTPUTS; o++) printf(s + (size_t)o == 0 ? "%.17g" : " %.17g", out[o][length[o] - 1]);
    }
    if (values) printf("\n");
    else printf("%.0f\n", now() - start);
    fflush(stdout);
  }
  return 0;
}
