import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { isSettingName } from "../../src/config/load.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";
import { ROOT } from "../tidy/source.ts";

/**
 * What can be said of the files for deployment without Docker: they are well formed, and keep what they promise. That
 * the images start is not tested here.
 */
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt: readonly string[];
  readonly restart: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly secrets?: readonly string[];
}

const compose = Bun.YAML.parse(read("docker-compose.yml")) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly environment: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);

describe("docker-compose.yml", () => {
  test("has the four services, each with a fixed version, a health check, and no way to more rights", () => {
    expect(services.map(([name]) => name).sort()).toEqual(["grafana", "penstock", "prometheus", "timescaledb"]);
    for (const [name, service] of services) {
      expect(`${name}: ${service.image}`).toMatch(/:v?\d+\.\d+\.\d+(-pg\d+)?$/);
      expect([name, service.healthcheck?.test[0]]).toEqual([name, "CMD"]);
      expect([name, service.security_opt]).toEqual([name, ["no-new-privileges:true"]]);
      expect([name, service.restart]).toEqual([name, "unless-stopped"]);
      for (const { condition } of Object.values(service.depends_on ?? {})) expect(condition).toBe("service_healthy");
    }
    expect(compose.services.penstock!.image).toBe(`penstock:${packageJson.version}`);
  });

  test("all but the database run as somebody, on a file system that cannot be written, without capabilities", () => {
    for (const [name, { user, read_only, cap_drop }] of services) {
      if (name === "timescaledb") continue;
      expect([name, read_only, cap_drop]).toEqual([name, true, ["ALL"]]);
      expect(user).toMatch(/^[1-9]\d*:\d+$/);
    }
  });

  test("has no password of its own: secrets come from outside and must be there", () => {
    const secret = (name: string) => {
      if (isSettingName(name)) return SETTINGS[name].type === "secret";
      return /PASSWORD|TOKEN|SECRET|KEY/.test(name);
    };
    const required = new Set<string>();
    for (const [, { environment = {} }] of services) {
      for (const [name, value] of Object.entries(environment).filter(([name]) => secret(name))) {
        const without = value.replaceAll(/\$\{([A-Z_]+)(:\?[^}]+|:-)\}/g, (_, variable, rule) => {
          if (rule !== ":-") required.add(variable);
          return "";
        });
        // Nothing but references, and around them only an address without a password.
        expect([name, without]).toEqual([
          name,
          name === "DATABASE_URL" ? "postgres://penstock:@timescaledb:5432/penstock" : "",
        ]);
      }
    }
    expect([...required].sort()).toEqual([
      "ADMIN_TOKEN",
      "ADMIN_VIEWER_TOKEN",
      "GRAFANA_PASSWORD",
      "POSTGRES_PASSWORD",
    ]);
    const example = read("deploy/compose.env.example")
      .split("\n")
      .filter((line) => !line.startsWith("#") && line !== "");
    for (const line of example) expect(line).toMatch(/^[A-Z_]+=$/);
    for (const name of required) expect(example).toContain(`${name}=`);
  });

  test("is open to this machine only, and names what exists", () => {
    for (const [, { ports = [], volumes = [], environment = {}, secrets = [] }] of services) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      for (const volume of volumes) {
        const [source, , mode] = volume.split(":") as [string, string, string?];
        if (!source.startsWith("./")) expect(Object.keys(compose.volumes)).toContain(source);
        else expect([source, existsSync(join(ROOT, source)), mode]).toEqual([source, true, "ro"]);
      }
      for (const name of secrets) expect(Object.keys(compose.secrets)).toContain(name);
      expect(Object.values(environment).every((value) => typeof value === "string")).toBe(true);
    }
    for (const name of Object.keys(compose.services.penstock!.environment!))
      expect([name, isSettingName(name)]).toEqual([name, true]);
  });

  test("Prometheus finds penstock under a name it lets in, with a token it is given", () => {
    const prometheus = Bun.YAML.parse(read("prometheus/prometheus.yml")) as {
      scrape_configs: { authorization: { credentials_file: string }; static_configs: { targets: string[] }[] }[];
    };
    const [scrape] = prometheus.scrape_configs;
    const { environment } = compose.services.penstock!;
    expect(scrape!.static_configs[0]!.targets).toEqual([
      `${environment!.ADMIN_ALLOWED_HOSTS}:${environment!.ADMIN_PORT}`,
    ]);
    expect(scrape!.authorization.credentials_file).toBe(`/run/secrets/${compose.services.prometheus!.secrets![0]}`);
  });
});

describe("Dockerfile", () => {
  const lines = read("Dockerfile").split("\n");

  test("begins from fixed versions and ends as somebody without rights", () => {
    const images = lines.filter((line) => line.startsWith("FROM"));
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/^FROM [a-z]+:\d+\.\d+(\.\d+)?-[a-z]+( AS build)?$/);
    expect(lines.findLast((line) => line.startsWith("USER"))).toBe("USER 10001:10001");
    expect(lines.some((line) => line.startsWith("HEALTHCHECK"))).toBe(true);
    expect(lines.filter((line) => /PASSWORD|TOKEN|SECRET/.test(line))).toEqual([]);
  });

  test("what is copied is there, and what nobody should have is not sent along", () => {
    for (const [, from] of lines.join("\n").matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const path of from!.split(" ")) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
    }
    expect(read(".dockerignore").split("\n")).toContain(".env");
    expect(read(".gitignore").split("\n")).toContain(".env");
  });
});

describe("penstock.service", () => {
  const unit = read("deploy/penstock.service");
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1];

  test("closes everything it does not need, and is watched for longer than the process watches itself", () => {
    for (const name of ["DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"]) {
      expect([name, value(name)]).toEqual([name, "yes"]);
    }
    expect([value("ProtectSystem"), value("CapabilityBoundingSet"), value("Type")]).toEqual(["strict", "", "notify"]);
    expect(Number(value("WatchdogSec"))).toBeGreaterThan(SETTINGS.LOOP_STALL_SECONDS.default);
    expect(value("Restart")).toBe("on-failure");
    expect(unit).not.toMatch(/^Environment=.*(TOKEN|SECRET|KEY|WEBHOOK)/m);
    const named = unit.matchAll(/^Environment=([A-Z_]+)=/gm).map(([, name]) => name!);
    for (const name of named) expect([name, isSettingName(name)]).toEqual([name, true]);
  });

  const analyze = Bun.which("systemd-analyze");
  test.skipIf(analyze === null)("is understood by systemd", () => {
    const folder = temporaryFolder();
    const program = join(folder, "penstock");
    writeFileSync(program, "#!/bin/sh\n");
    chmodSync(program, 0o755);
    const file = join(folder, "penstock.service");
    writeFileSync(file, unit.replace("/usr/local/bin/penstock", program));
    const { exitCode, stderr } = Bun.spawnSync([analyze!, "verify", file], { stderr: "pipe", stdout: "pipe" });
    const about = stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes("penstock"));
    expect([exitCode, about]).toEqual([0, []]);
  });
});

test("examples of environments name settings", () => {
  const lines = read("deploy/penstock.env.example")
    .split("\n")
    .filter((line) => /^#?[A-Z_]+=/.test(line));
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect([line, isSettingName(/[A-Z_]+/.exec(line)![0])]).toEqual([line, true]);
});
