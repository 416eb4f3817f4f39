/** Takes memory until it is refused, in objects or in buffers, and says how it went. */
const kept: unknown[] = [];
try {
  while (process.memoryUsage.rss() < 1_500e6) {
    kept.push(
      process.argv[2] === "objects" ? Array.from({ length: 100_000 }, (_, i) => ({ i })) : new Uint8Array(8e6).fill(1),
    );
  }
  console.log("no limit");
} catch (error) {
  console.log(String(error));
  process.exit(3);
}
