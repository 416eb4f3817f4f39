import type { IndicatorPlan } from "./plan.ts";

export const KERNEL_NAMES = ["portable", "sse2", "avx2", "avx512"] as const;
export type KernelName = (typeof KERNEL_NAMES)[number];

/**
 * Advances the indicators of all symbols of a timeframe. All kernels give the same bits: the portable one is the
 * definition. `chooseKernel` of src/native.ts says which ones there are.
 */
export interface Kernel {
  readonly name: KernelName;
  /**
   * @param bars memory that holds the bars; bar of group g: 40 doubles at `offset + g * stride` (see Panel)
   * @param state `lengthOf(plan.stateRows, groups)` doubles, changed in place
   * @param out `lengthOf(plan.outputRows, groups)` doubles, those of the groups overwritten; NaN where absent or in warm-up
   * @throws RangeError when a length does not fit (kernels that leave the sandbox of the language)
   */
  step(
    plan: IndicatorPlan,
    bars: Float64Array,
    offset: number,
    stride: number,
    groups: number,
    state: Float64Array,
    out: Float64Array,
  ): void;

  /**
   * Many bars at once: what a loop over `step` gives. Bars of a group follow each other every 40 doubles.
   *
   * @param rows outputs that are wanted: one set per bar, at `bar * lengthOf(plan.outputRows, groups)`, or the last only
   */
  run(
    plan: IndicatorPlan,
    bars: Float64Array,
    offset: number,
    stride: number,
    groups: number,
    count: number,
    state: Float64Array,
    out: Float64Array,
    rows: "all" | "last",
  ): void;
}
