import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";

const SCRIPT = join(import.meta.dir, "..", "..", "tools", "timescaledb.sh");

/** A TimescaleDB that belongs to one test, which may therefore kill it. What it has acknowledged survives that. */
export class OwnServer {
  readonly #root: string;
  readonly #url: string;
  #created = 0;

  private constructor(root: string, url: string) {
    this.#root = root;
    this.#url = url;
  }

  static async start(): Promise<OwnServer> {
    const root = mkdtempSync(join(tmpdir(), "penstock-server-"));
    // The server's user has to get there.
    chmodSync(root, 0o755);
    const server = new OwnServer(root, (await command("start", join(root, "data"))).trim());
    const sql = postgres(server.#url, { max: 1, onnotice: () => {} });
    // Tests are faster without; but then a commit is acknowledged before the system has been given it.
    await sql.unsafe("ALTER SYSTEM SET synchronous_commit = on");
    await sql.unsafe("SELECT pg_reload_conf()");
    await sql.end();
    return server;
  }

  /** The address of a new, empty database. */
  async create(): Promise<string> {
    const name = `own_${this.#created++}`;
    const sql = postgres(this.#url, { max: 1, onnotice: () => {} });
    await sql.unsafe(`CREATE DATABASE ${name}`);
    await sql.end();
    const url = new URL(this.#url);
    url.pathname = name;
    return url.toString();
  }

  /** SIGKILL for all its processes at once. */
  async kill(): Promise<void> {
    await command("kill", join(this.#root, "data"));
  }

  async restart(): Promise<void> {
    await command("restart", join(this.#root, "data"));
  }

  async stop(): Promise<void> {
    await command("stop", join(this.#root, "data"));
    rmSync(this.#root, { recursive: true, force: true });
  }
}

async function command(name: string, folder: string): Promise<string> {
  const child = Bun.spawn(["sh", SCRIPT, name, folder], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`timescaledb.sh ${name}: ${said}`);
  return out;
}
