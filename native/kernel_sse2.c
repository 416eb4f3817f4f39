/* The kernel for every x86-64 processor: two lanes at a time. */
#include <emmintrin.h>
#include "penstock.h"

#define KERNEL penstock_sse2
#define WIDTH 2
#define UNITS 4
typedef __m128d V;
typedef __m128d M;

#define LOAD(p) _mm_loadu_pd(p)
#define STORE(p, v) _mm_storeu_pd(p, v)
#define ALL(x) _mm_set1_pd(x)
#define LT(a, b) _mm_cmplt_pd(a, b)
#define EQ(a, b) _mm_cmpeq_pd(a, b)
#define PRESENT(a) _mm_cmpord_pd(a, a)
#define AND(m, n) _mm_and_pd(m, n)
#define SELECT(m, a, b) _mm_or_pd(_mm_and_pd(m, a), _mm_andnot_pd(m, b))
#define BITS(m) (unsigned)_mm_movemask_pd(m)
#define MAX(a, b) _mm_max_pd(a, b)
#define MIN(a, b) _mm_min_pd(a, b)
#define SQRT(a) _mm_sqrt_pd(a)
#define ABS(a) _mm_andnot_pd(_mm_set1_pd(-0.0), a)

#include "kernel.inc"
