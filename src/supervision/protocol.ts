import type { NotifierStart, Report } from "../notify/report.ts";

/** What the main thread tells the supervisor. */
export type ToSupervisor =
  | {
      readonly kind: "start";
      readonly heartbeat: SharedArrayBuffer;
      /** ms; Infinity for never. */
      readonly giveUp: number;
      /** The log file to which a stalled thread cannot write; empty: none. */
      readonly log: string;
      /** The service manager's socket; empty: there is none. */
      readonly notifySocket: string;
      /** How often the service manager wants a sign of life, ms; 0: never. */
      readonly watchdog: number;
      /** Who reports to people; absent: nobody. */
      readonly notifier?: { readonly command: readonly string[]; readonly start: NotifierStart };
    }
  | { readonly kind: "report"; readonly report: Report }
  /** It is up: whoever waits for it need not wait any more. */
  | { readonly kind: "ready"; readonly status: string }
  /** The process ends as it should; `farewell` is the last report. */
  | { readonly kind: "stop"; readonly farewell: string };

export type FromSupervisor =
  | { readonly kind: "problem"; readonly text: string }
  | { readonly kind: "recovered"; readonly milliseconds: number }
  | { readonly kind: "stopped" };

/** With this the process ends when its loop stands still: EX_SOFTWARE of sysexits.h. */
export const STALL_EXIT_CODE = 70;
