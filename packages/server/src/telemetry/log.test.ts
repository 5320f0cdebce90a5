import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { createLog } from './log.ts';

function lines(options: { level?: string; pretty?: boolean; secret?: string } = {}) {
  const written: string[] = [];
  const { secret } = options;
  const redact = (value: unknown): unknown =>
    secret === undefined ? value : (JSON.parse(JSON.stringify(value).replaceAll(secret, '***')) as unknown);
  const log = createLog({
    write: (line) => written.push(line),
    level: options.level,
    pretty: options.pretty ?? false,
    redact,
  });
  return { log, written, parsed: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('a line is JSON with time, level, message and fields, those of its parents included', () => {
  const { log, parsed } = lines();
  log.with({ worker: 'w-1' }).info('run claimed', { run: 'r-1' });
  expect(parsed()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      msg: 'run claimed',
      worker: 'w-1',
      run: 'r-1',
    },
  ]);
});

test('no secret is written: not in a message, a field, nor the message, stack or cause of an error', () => {
  const secret = 'sk-0123456789abcdefghij';
  const { log, written } = lines({ secret });
  const error = new Error(`refused ${secret}`, { cause: new Error(`for ${secret}`) });
  log.with({ url: `https://x:${secret}@host/` }).error(`with ${secret}`, { error, deep: [{ key: secret }] });
  expect(written).toHaveLength(1);
  expect(written[0]).not.toContain(secret);
  expect(written[0]).toContain('refused');
});

test('an error carries its code', () => {
  const { log, parsed } = lines();
  log.error('request failed', { error: new BerthError('NOT_FOUND') });
  expect(parsed()[0]).toMatchObject({ error: { code: 'NOT_FOUND', message: 'There is no such object.' } });
});

test('what lies below the level is not written; a level that is none counts as info', () => {
  const quiet = lines({ level: 'warn' });
  quiet.log.info('not this');
  quiet.log.warn('this');
  expect(quiet.parsed().map((line) => line['msg'])).toEqual(['this']);
  const wrong = lines({ level: 'loud' });
  wrong.log.debug('not this');
  wrong.log.info('this');
  expect(wrong.parsed().map((line) => line['msg'])).toEqual(['this']);
});

test('at a terminal a line is for people', () => {
  const { log, written } = lines({ pretty: true });
  log.info('ready', { parts: 'api,worker', note: 'a b' });
  expect(written[0]).toMatch(/^\d\d:\d\d:\d\d info {2}ready parts="api,worker" note="a b"\n$/);
});
