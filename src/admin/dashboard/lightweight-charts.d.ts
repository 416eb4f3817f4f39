/** The library as the server hands it out, under a name of ours. */
export * from "lightweight-charts";
