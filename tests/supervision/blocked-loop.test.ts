import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { STALL_EXIT_CODE } from "../../src/supervision/protocol.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";
import { DiscordStandIn } from "../notify/discord-stand-in.ts";

/** A service manager's end of its socket, which Bun cannot open: prints every message on a line of its own. */
const LISTEN = `
  use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
  print "listening\\n"; while (defined recv($s, my $m, 4096, 0)) { $m =~ s/\\n/ /g; print "$m\\n" }`;

const perl = Bun.which("perl");

test.skipIf(perl === null)("a loop that is blocked is reported everywhere, and the process ends itself", async () => {
  const folder = temporaryFolder();
  const log = join(folder, "current.log");
  const socket = join(folder, "notify.sock");
  using discord = new DiscordStandIn();
  const manager = Bun.spawn([perl!, "-e", LISTEN, socket], { stdout: "pipe", stdin: "ignore" });
  const heard = manager.stdout.pipeThrough(new TextDecoderStream()).getReader();
  expect((await heard.read()).value).toBe("listening\n");

  const child = Bun.spawn([process.execPath, join(import.meta.dir, "blocked-loop.ts"), log, discord.api], {
    env: { PATH: process.env.PATH ?? "", NOTIFY_SOCKET: socket, WATCHDOG_USEC: "600000" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const err = await new Response(child.stderr).text();
  expect(await child.exited).toBe(STALL_EXIT_CODE);
  const ended = "the process ends itself to be started anew";
  expect(err).toContain("penstock: the trading loop has stood still for ");
  expect(err).toContain(ended);

  const lines = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([{ level: "warn" }, { level: "error", msg: expect.stringContaining(ended) }]);

  await discord.until(() => discord.text.includes(ended));
  expect(discord.text).toStartWith("it begins");
  expect(discord.text).toContain("**ALARM** the trading loop has stood still for ");
  expect(discord.text).not.toContain("died without a word");

  let said = "";
  while (!said.includes(ended)) said += (await heard.read()).value;
  manager.kill();
  const messages = said.trim().split("\n");
  expect(messages[0]).toBe("READY=1 STATUS=trading");
  const alive = messages.filter((message) => message === "WATCHDOG=1").length;
  expect(alive).toBeGreaterThan(0);
  // No sign of life once the stall has been seen: a service manager would end what cannot end itself.
  const stalled = messages.findIndex((message) => message.startsWith("STATUS=the trading loop has stood still"));
  expect(messages.slice(stalled)).not.toContain("WATCHDOG=1");
  await manager.exited;
});
