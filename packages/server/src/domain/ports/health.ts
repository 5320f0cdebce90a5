/** One thing a process needs in order to live or to serve. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What is, in a sentence; what to do is in the documents. Never a secret, an address or a name of somebody. */
  readonly sentence: string;
  /** False: said, but nothing is refused because of it. */
  readonly required: boolean;
}

export interface HealthReport {
  /** Whether every required check holds. */
  readonly ok: boolean;
  readonly checks: readonly HealthCheck[];
}

/** Whether this process lives (else it should be started anew), and whether it can serve (else it should be spared). */
export interface Health {
  live(): HealthReport;
  ready(): Promise<HealthReport>;
}

export function healthReport(checks: readonly HealthCheck[]): HealthReport {
  return { ok: checks.every((check) => check.ok || !check.required), checks };
}
