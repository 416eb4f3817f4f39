/** A day's figures, or those of the part of it that was traded. Money in USDT. */
export interface DaySummary {
  /** Such as 2026-11-21. */
  readonly day: string;
  readonly start: number;
  readonly end: number;
  readonly trades: number;
  readonly won: number;
  readonly fees: number;
  /** Largest fall from a peak within the day, a share of the peak. */
  readonly drawdown: number;
  /** Equity over the day, evenly enough for a picture. */
  readonly curve: readonly number[];
}

/** Something that people may want to be told. */
export type Report =
  | {
      readonly kind: "line";
      /** `routine` lines are the first to be left out when there are too many. */
      readonly weight: "routine" | "important" | "alarm";
      readonly text: string;
    }
  | { readonly kind: "day"; readonly summary: DaySummary };

/** Where reports go. */
export interface NotifierStart {
  readonly api: string;
  readonly target:
    | { readonly kind: "webhook"; readonly id: string; readonly token: string }
    | { readonly kind: "bot"; readonly token: string; readonly channel: string };
  /** What reports, as people call it: `penstock, simulated`. */
  readonly name: string;
}

/** The first argument with which the program starts itself as the process that reports. */
export const NOTIFIER_ARGUMENT = "notifier";

/** Lines of JSON on its standard input. Its end without `goodbye` means that the trader has died. */
export type ToNotifier =
  | { readonly kind: "start"; readonly start: NotifierStart }
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "goodbye"; readonly text: string };
