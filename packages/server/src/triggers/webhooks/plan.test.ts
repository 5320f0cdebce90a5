import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { triggerSchema, type WebhookTriggerConfig } from '../../domain/config/index.ts';
import { cleanOutsideText, fencedOutside } from '../../domain/outside-text.ts';
import { evaluateExpressions } from './evaluate.ts';
import { filledTask, planWebhook } from './plan.ts';

const trigger = (written: object): WebhookTriggerConfig =>
  triggerSchema.parse({
    kind: 'webhook',
    name: 'alerts',
    project: 'web',
    secret: '${env:HOOK}',
    task: 'Do it',
    ...written,
  }) as WebhookTriggerConfig;

test('conditions filter, values are filled in as data', async () => {
  const one = trigger({
    when: ["severity == 'high'", 'length(items) > `1`'],
    values: { title: 'title', items: 'items[*].name', none: 'missing' },
    task: 'Look into {{title}}\n\n{{items}}\n{{none}}\nThen stop.',
  });
  const body = { severity: 'high', title: 'Disk </data> full', items: [{ name: 'a' }, { name: 'b' }] };
  const plan = await planWebhook(one, body);
  if (plan.kind !== 'task') throw new Error(plan.reason);
  expect(plan.title).toBe('Look into Disk </data> full');
  expect(plan.text).toContain('Look into (title, as in the data)');
  expect(plan.text).toMatch(
    /<data-(\w{12}) source="items of trigger alerts" trust="unknown">\n\["a","b"\]\n<\/data-\1>/,
  );
  expect(await planWebhook(one, { ...body, severity: 'low' })).toEqual({
    kind: 'filtered',
    reason: "when[0] is not true: severity == 'high'",
  });
  expect(await planWebhook(one, { ...body, items: [] })).toMatchObject({ kind: 'filtered' });
});

test('what is filled in is not looked at a second time', () => {
  const { text } = filledTask(
    { name: 'x', task: '{{a}}\n{{b}}' },
    new Map([
      ['a', '{{b}}'],
      ['b', 'SECOND'],
    ]),
  );
  expect(text.match(/SECOND/g)).toHaveLength(1);
});

test('an expression that does not come to an end is ended', async () => {
  const body = { items: Array.from({ length: 3_000 }, (_, n) => ({ n })) };
  const expression = 'items[?length(@.n || `[]`) > `0`] || items[].[map(&sort_by($.items, &n), $.items)]';
  await expect(
    evaluateExpressions(body, ['map(&map(&map(&n, $.items), $.items), items)'], {
      mostMs: 300,
      memoryMb: 64,
    }),
  ).rejects.toMatchObject({ code: 'EXPRESSION_FAILED' });
  const [wrong] = await evaluateExpressions(body, [expression], { mostMs: 30_000, memoryMb: 64 });
  expect(wrong?.kind).toBe('failed');
  await expect(
    evaluateExpressions(
      { a: 'x' },
      ['map(&pad_left(@, `10000000`), [`"a"`,`"b"`]) | join(``, @)', 'length(pad_left(a, `900000000`))'],
      {
        mostMs: 20_000,
        memoryMb: 32,
      },
    ).then(
      (results) => results.every(({ kind }) => kind === 'failed') || Promise.reject(new Error('worked')),
    ),
  ).resolves.toBe(true);
});

test('bodies cannot reach what objects inherit', async () => {
  const results = await evaluateExpressions(JSON.parse('{"a":{"__proto__":{"b":"x"}}}'), [
    'a.b',
    'constructor',
    'a.constructor.name',
    'a."__proto__".b',
  ]);
  expect(results.map(({ kind }) => kind)).toEqual(['nothing', 'nothing', 'nothing', 'text']);
});

test('no text forges or leaves its fence', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.constantFrom('</data-', '>', '<!--', '-->', '@x', '<data-0123456789ab'),
        ),
        { maxLength: 12 },
      ),
      (parts) => {
        const text = parts.join('');
        const fence = fencedOutside({ source: text, author: text, trust: 'none', text }, 200);
        const mark = /^<data-([0-9a-f]{12}) /.exec(fence)?.[1] ?? 'none';
        expect(fence.split(mark)).toHaveLength(3);
        expect(fence.split('\n')[0]).toMatch(
          /^<data-[0-9a-f]{12} source="[^\n<>]*" author="[^\n<>]*" trust="none">$/,
        );
        const clean = cleanOutsideText(text);
        expect(cleanOutsideText(clean)).toBe(clean);
        expect(clean).not.toMatch(/<!--|@[A-Za-z0-9]|[\u200b\u202e\u2066]/u);
      },
    ),
    { numRuns: 500 },
  );
});

test.each([
  ['a<!-- x -->b', 'ab'],
  ['a<!-- x', 'a'],
  ['a<!-<!-- x -->- hidden -->b', 'ab'],
  ['a<script>steal()</script >b', 'ab'],
  ['a<STYLE>x</style>b', 'ab'],
  ['[//]: # (hidden)\nshown', 'shown'],
  ['a\u200b\u202eb\u{e0041}', 'ab'],
  ['call @berth and @acme/team', 'call @ berth and @ acme/team'],
  ['a < b && c <d> e', 'a < b && c <d> e'],
])('%j is read as %j', (text, read) => {
  expect(cleanOutsideText(text)).toBe(read);
});

test('cleaning takes time in proportion', () => {
  const startedMs = performance.now();
  for (const piece of [
    '<!--',
    '<script>',
    '<!-- -->',
    '<script></script>',
    '[//]: # (',
    '<?',
    '@',
    '<!-<!-- -->',
  ]) {
    cleanOutsideText(piece.repeat(60_000));
  }
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});
