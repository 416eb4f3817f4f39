/** Messages between the service and the process of the embedded database. */
export type ToEmbedded = { readonly kind: "stop" };

export type FromEmbedded =
  | { readonly kind: "ready"; readonly socket: string; readonly startMs: number }
  | { readonly kind: "refused"; readonly reason: string };

/** First argument that makes the program be the embedded database; not a command for people. */
export const EMBEDDED_ARGUMENT = "embedded-store";

/** The parent's process id, so that a child whose parent died before the death signal was set ends too. */
export const PARENT_VARIABLE = "PENSTOCK_PARENT";
