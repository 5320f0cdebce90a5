import type { AuditAct, AuditSink } from '../domain/ports/audit.ts';

/** The record of acts in memory, for tests that read what was recorded. */
export class MemoryAuditSink implements AuditSink {
  readonly acts: AuditAct[] = [];
  /** Thrown by the next calls, as if the database were away. */
  failure: Error | null = null;

  async record(act: AuditAct): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.acts.push(await Promise.resolve(act));
  }

  async begin(act: Omit<AuditAct, 'result' | 'code'>): ReturnType<AuditSink['begin']> {
    if (this.failure !== null) throw this.failure;
    return await Promise.resolve({
      end: async ({ details, object, ...outcome }) => {
        await this.record({
          ...act,
          ...outcome,
          object: object ?? act.object,
          details: { ...act.details, ...details },
        });
      },
    });
  }

  /** `action result code` of each act. */
  get lines(): string[] {
    return this.acts.map((act) => `${act.action} ${act.result}${act.code === null ? '' : ` ${act.code}`}`);
  }
}
