import { systemClock } from '../domain/clock.ts';
import { openAudit } from '../audit/open-audit.ts';
import { openDatabase } from '../store/database.ts';
import { act } from './audit-act.ts';

// A process of its own that records and seals without rest until it is killed, for tests of `audit`.
const [home, databaseUrl] = process.argv.slice(2);
if (home === undefined || databaseUrl === undefined) process.exit(2);
const db = await openDatabase({
  home,
  databaseUrl,
  clock: systemClock,
  signal: new AbortController().signal,
});
const audit = await openAudit(db, {
  home,
  redact: (value) => value,
  sealEveryMs: 5,
  onSeal: ({ number }) => void process.stdout.write(`sealed ${number}\n`),
});
for (let n = 0; ; n += 1) {
  await Promise.all(
    Array.from({ length: 20 }, () =>
      audit.sink.record(act({ object: { kind: 'run', id: `r-${process.pid}-${n}`, projectId: null } })),
    ),
  );
}
