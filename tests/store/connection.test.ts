import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { openStore } from "../../src/store/store.ts";
import { ROOT } from "../tidy/source.ts";
import { temporaryFolder } from "./database.ts";

/** A server that asks for the password in clear text, remembers it and refuses it. */
function refusingServer() {
  const passwords: string[] = [];
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, data) {
        if (data[0] !== "p".charCodeAt(0)) {
          // AuthenticationCleartextPassword
          socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
          return;
        }
        passwords.push(data.toString("utf8", 5, data.length - 1));
        const fields = Buffer.from('SFATAL\0C28P01\0Mpassword authentication failed for user "me"\0\0');
        const head = Buffer.alloc(5);
        head.write("E");
        head.writeInt32BE(4 + fields.length, 1);
        socket.end(Buffer.concat([head, fields]));
      },
    },
  });
  return { passwords, server };
}

test("a password with any characters reaches the server, and no message", async () => {
  const { passwords, server } = refusingServer();
  const password = "s@f/e #?%:&+ü'\"";
  const encoded = encodeURIComponent(password);
  try {
    const opened = openStore({
      databaseUrl: `postgres://me:${encoded}@127.0.0.1:${server.port}/db?application_name=${encoded}`,
      dataDir: temporaryFolder(),
    });
    const error: Error = await opened.then(
      () => new Error("opened"),
      (failure) => failure,
    );
    expect(error.message).toBe(
      `DATABASE_URL: cannot open postgres://me:***@127.0.0.1:${server.port}/db: password authentication failed for user "me"`,
    );
    expect(new Set(passwords)).toEqual(new Set([password]));
  } finally {
    server.stop(true);
  }
});

test.each([
  ["secret@host/db", "DATABASE_URL is not an address"],
  ["mysql://me:secret@host/db", "DATABASE_URL starts with mysql://"],
])("%s is refused without being repeated", async (databaseUrl, message) => {
  const opened = openStore({ databaseUrl, dataDir: temporaryFolder() });
  await expect(opened).rejects.toThrow(message);
  await expect(opened).rejects.not.toThrow("secret");
});

describe.skipIf(process.env.PENSTOCK_TEST_DATABASE === undefined || Bun.which("openssl") === null)("TLS", () => {
  test("is used when it is asked for, and a certificate that nobody vouches for is refused where that matters", async () => {
    // Not below a folder of ours: the server runs as another user.
    const folder = mkdtempSync(join(tmpdir(), "penstock-tls-"));
    const tool = join(ROOT, "tools", "timescaledb.sh");
    const started = Bun.spawnSync(["sh", tool, "start", folder]);
    const address = started.stdout.toString().trim();
    try {
      const [certificate, key] = [join(folder, "server.crt"), join(folder, "server.key")];
      Bun.spawnSync(
        `openssl req -new -x509 -days 2 -nodes -subj /CN=test -out ${certificate} -keyout ${key}`.split(" "),
      );
      const { uid, gid } = statSync(join(folder, "PG_VERSION"));
      for (const file of [certificate, key]) {
        chmodSync(file, 0o600);
        chownSync(file, uid, gid);
      }
      const administrator = postgres(address, { max: 1, onnotice: () => {} });
      await administrator.unsafe("ALTER SYSTEM SET ssl = on");
      await administrator.unsafe("SELECT pg_reload_conf()");
      while ((await administrator.unsafe("SHOW ssl"))[0]!.ssl !== "on");
      await administrator.end();
      const open = (mode: string) =>
        openStore({ databaseUrl: `${address}?sslmode=${mode}`, dataDir: temporaryFolder(), connectTimeout: 5000 });
      const store = await open("require");
      const [row] = await store.sql`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`;
      await store.close();
      expect(row).toEqual({ ssl: true });
      await expect(open("verify-full")).rejects.toThrow("self signed certificate");
    } finally {
      Bun.spawnSync(["sh", tool, "stop", folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
