import { expect, test } from 'vitest';
import { openAudit } from '../../audit/open-audit.ts';
import { auditHome } from '../../testing/audit-record.ts';
import { testDatabase } from '../../testing/database.ts';
import { egressOnRecord } from './egress-on-record.ts';

const store = testDatabase();

test('connections that were refused to a run are on record, one entry a host with a count', async () => {
  const audit = await openAudit(store.db, { home: auditHome(), redact: (value) => value });
  const refused = egressOnRecord(audit.sink, 'r-1', 'p-1');
  const decision = { port: 443, allowed: false, reason: 'no rule allows it', bytesUp: 0, bytesDown: 0 };
  for (let n = 0; n < 40; n += 1) refused({ ...decision, host: 'evil.example' });
  refused({ ...decision, host: 'other.example', port: 22 });
  await audit.stop();
  const { acts } = await audit.reader.list({ action: 'egress.deny', limit: 10 });
  const facts = acts.map(({ by, object, details }) => [by, object.id, object.projectId, details['count']]);
  expect(facts).toEqual([
    ['run:r-1', 'other.example:22', 'p-1', 1],
    ['run:r-1', 'evil.example:443', 'p-1', 40],
  ]);
});
