/* Trees for every x86-64. */
#include "trees.h"

#define GROW grow_sse2
#define GRADIENTS gradients_sse2
#define WALK walk_sse2

#include "grow.inc"
#include "walk_scalar.inc"
#include "walk.inc"
