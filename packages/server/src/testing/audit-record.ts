import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll } from 'vitest';
import { openAudit, type Audit, type OpenAuditOptions } from '../audit/open-audit.ts';
import type { AuditVerdict } from '../domain/ports/audit.ts';
import type { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';

export interface TestAudit extends Audit {
  readonly home: string;
  readonly errors: BerthError[];
  readonly heads: { readonly number: number }[];
  verdict(): Promise<AuditVerdict>;
  /** Seals until nothing is left: transactions of other tests on the same server hold sealing up. */
  sealAll(): Promise<void>;
}

export { act } from './audit-act.ts';

const homes: string[] = [];

/** A data directory of the test file's own. */
export function auditHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'berth-audit-'));
  if (homes.push(home) === 1) {
    afterAll(() => Promise.all(homes.map((one) => rm(one, { recursive: true, force: true }))));
  }
  return home;
}

/** A record that is sealed only when the test says so, unless `sealEveryMs` says otherwise. */
export async function testAudit(
  db: Database,
  options: Partial<OpenAuditOptions> & { readonly home: string },
): Promise<TestAudit> {
  const errors: BerthError[] = [];
  const heads: { number: number }[] = [];
  const audit = await openAudit(db, {
    redact: (value) => value,
    sealEveryMs: 3_600_000,
    onError: (error) => void errors.push(error),
    onSeal: (seal) => void heads.push(seal),
    ...options,
  });
  return {
    ...audit,
    home: options.home,
    errors,
    heads,
    async sealAll() {
      for (let left = 1, tries = 0; left > 0; tries += 1) {
        if (tries > 1_000) throw new Error(`${left} entries are never sealed`);
        await audit.sealNow();
        const { rows } = await sql<{ n: number }>`select count(*)::int as n from audit_entries
          where position > (select coalesce(max(to_position), 0) from audit_seals)`.execute(db.sql);
        left = rows[0]?.n ?? 0;
      }
    },
    async verdict() {
      for await (const item of audit.reader.verify(new AbortController().signal)) {
        if ('verdict' in item) return item.verdict;
      }
      throw new Error('a verification ends with a verdict');
    },
  };
}

/** Changes the record as its owner could with the database in hand: with its triggers switched off. */
export async function tamper(db: Database, statement: string): Promise<void> {
  await db.sql.transaction().execute(async (transaction) => {
    for (const table of ['audit_entries', 'audit_seals', 'events', 'event_payloads', 'runs']) {
      await sql.raw(`alter table ${table} disable trigger all`).execute(transaction);
    }
    await sql.raw(statement).execute(transaction);
    for (const table of ['events', 'event_payloads', 'runs']) {
      await sql.raw(`alter table ${table} enable trigger all`).execute(transaction);
    }
    for (const table of ['audit_entries', 'audit_seals']) {
      for (const what of ['update', 'delete', 'truncate']) {
        await sql.raw(`alter table ${table} enable always trigger ${table}_${what}`).execute(transaction);
      }
    }
  });
}
