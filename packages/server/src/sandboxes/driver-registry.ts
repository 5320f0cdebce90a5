import type { SandboxProfile } from '../domain/config/sandboxes.ts';
import type { DoctorCheck } from '../domain/doctor.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type {
  ProvedProfile,
  Sandbox,
  SandboxDriver,
  SandboxRef,
  SandboxSpec,
} from '../domain/ports/sandbox.ts';

type Probe = Awaited<ReturnType<SandboxDriver['probe']>>;

/** A driver that did not work is asked again after this. */
const askAgainMs = 60_000;

/**
 * All drivers of a worker as one: each sandbox gets the one that its profile names, or with `auto` the strongest that
 * can be what the profile asks for and works here. Never a weaker one than was named.
 */
export class DriverRegistry implements SandboxDriver {
  readonly #drivers: readonly [SandboxDriver, ...SandboxDriver[]];
  readonly #clock: Clock;
  readonly #probes = new Map<SandboxDriver, { readonly atMs: number; readonly probe: Promise<Probe> }>();
  /** Who made the sandboxes that this process has seen. */
  readonly #makers = new Map<string, SandboxDriver>();

  /** @param drivers the strongest first; the last one is for projects without a profile */
  constructor(drivers: readonly [SandboxDriver, ...SandboxDriver[]], clock: Clock) {
    this.#drivers = drivers;
    this.#clock = clock;
  }

  /** The driver of a project without a profile. */
  get name(): SandboxDriver['name'] {
    return this.#suiting(null).at(-1)?.name ?? this.#drivers[0].name;
  }

  /** Works when one of them does; what another lacks is then a warning, as only some profiles need it. */
  async probe(signal?: AbortSignal): Promise<Probe> {
    const probes = await Promise.all(this.#drivers.map((driver) => driver.probe(signal)));
    const ok = probes.some((probe) => probe.ok);
    const checks = probes.flatMap((probe) =>
      probe.checks.map((check) =>
        ok && !probe.ok && check.state === 'fail' ? { ...check, state: 'warn' as const } : check,
      ),
    );
    return { ok, checks };
  }

  async prove(profiles: readonly ProvedProfile[], signal: AbortSignal): Promise<readonly DoctorCheck[]> {
    const proved = await Promise.all(
      this.#drivers.map(async (driver) => (await driver.prove?.(profiles, signal)) ?? []),
    );
    return proved.flat();
  }

  /** @throws BerthError `SANDBOX_DRIVER_MISSING`, `SANDBOX_UNSUPPORTED` */
  assertSuits(profile: SandboxProfile | null): void {
    const named = this.#named(profile);
    if (named !== null) named.assertSuits?.(profile);
    else if (this.#suiting(profile).length === 0) this.#drivers[0].assertSuits?.(profile);
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const driver = await this.choose(spec.profile);
    this.#makers.set(spec.id, driver);
    return await driver.create(spec, signal);
  }

  async attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const driver = this.#drivers.find(({ name }) => name === ref.driver);
    if (driver === undefined)
      throw new BerthError(
        'SANDBOX_DRIVER_MISSING',
        `The sandbox ${ref.id} was made by the driver ${ref.driver}, which this worker does not have.`,
      );
    this.#makers.set(ref.id, driver);
    return await driver.attach(ref, spec, signal);
  }

  async assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const driver = this.#drivers.find(({ name }) => name === idle.driver);
    if (driver?.assign === undefined || driver !== (await this.choose(spec.profile))) return null;
    this.#makers.set(idle.id, driver);
    return await driver.assign(idle, spec, signal);
  }

  /** Those of every driver that can tell; only when none can, that is an error. */
  async list(): ReturnType<SandboxDriver['list']> {
    const answers = await Promise.allSettled(
      this.#drivers.map(async (driver) => ({ driver, sandboxes: await driver.list() })),
    );
    const told = answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value);
    const [first] = answers;
    if (told.length === 0 && first?.status === 'rejected') throw first.reason;
    for (const { driver, sandboxes } of told) for (const { id } of sandboxes) this.#makers.set(id, driver);
    return told.flatMap(({ sandboxes }) => sandboxes);
  }

  async fingerprint(sandbox: Pick<SandboxSpec, 'id' | 'profile'>): Promise<string | null> {
    const driver = this.#makers.get(sandbox.id) ?? (await this.choose(sandbox.profile));
    return (await driver.fingerprint?.(sandbox)) ?? null;
  }

  async destroy(id: string): Promise<void> {
    const maker = this.#makers.get(id);
    if (maker === undefined) {
      // Of an earlier worker: whoever does not know it has nothing to do.
      const ended = await Promise.allSettled(this.#drivers.map((driver) => driver.destroy(id)));
      for (const one of ended) if (one.status === 'rejected') throw one.reason;
      return;
    }
    await maker.destroy(id);
    this.#makers.delete(id);
  }

  /** The driver that a profile names, or null when it leaves the choice. @throws BerthError `SANDBOX_DRIVER_MISSING` */
  #named(profile: SandboxProfile | null): SandboxDriver | null {
    if (profile === null || profile.driver === 'auto') return null;
    const driver = this.#drivers.find(({ name }) => name === profile.driver);
    if (driver !== undefined) return driver;
    throw new BerthError(
      'SANDBOX_DRIVER_MISSING',
      `The profile ${profile.name} asks for the driver ${profile.driver}; this worker has ${this.#drivers.map(({ name }) => name).join(', ')}.`,
    );
  }

  #suiting(profile: SandboxProfile | null): SandboxDriver[] {
    return this.#drivers.filter((driver) => {
      try {
        driver.assertSuits?.(profile);
        return true;
      } catch {
        return false;
      }
    });
  }

  /** The driver that would make a sandbox of this profile now. @throws BerthError `SANDBOX_DRIVER_MISSING` */
  async choose(profile: SandboxProfile | null): Promise<SandboxDriver> {
    const named = this.#named(profile);
    if (named !== null) return named;
    const suiting = this.#suiting(profile);
    const last = suiting.at(-1);
    // The strongest says what it misses.
    if (last === undefined) return this.#drivers[0];
    for (const driver of suiting) {
      // Of the only one left its own refusal says more than a probe.
      if (driver === last || (await this.#works(driver))) return driver;
    }
    return last;
  }

  async #works(driver: SandboxDriver): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    let known = this.#probes.get(driver);
    if (known !== undefined && nowMs - known.atMs > askAgainMs && !(await known.probe).ok) known = undefined;
    if (known === undefined) {
      known = { atMs: nowMs, probe: driver.probe().catch(() => ({ ok: false, checks: [] })) };
      this.#probes.set(driver, known);
    }
    return (await known.probe).ok;
  }
}
