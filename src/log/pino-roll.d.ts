/** The package brings no types of its own; these are the options that are used here. */
declare module "pino-roll" {
  import type { SonicBoom, SonicBoomOpts } from "sonic-boom";
  export default function roll(
    options: SonicBoomOpts & {
      readonly file: string;
      readonly extension: string;
      /** Such as `20k`. */
      readonly size: string;
      readonly limit: { readonly count: number; readonly removeOtherLogFiles: boolean };
      readonly symlink: boolean;
    },
  ): Promise<SonicBoom>;
}
