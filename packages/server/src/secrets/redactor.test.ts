import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRedactor, redact } from './redactor.ts';
import { shortestSecret } from './secret-forms.ts';

const value = 'gh"p_s3cr/t+ä value\\n~1';
const secrets = [{ name: 'TOKEN', value }];

const encodings: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  hex: (text) => Buffer.from(text).toString('hex'),
  HEX: (text) => Buffer.from(text).toString('hex').toUpperCase(),
  'URL component': encodeURIComponent,
  'URL component, lower-case': (text) =>
    encodeURIComponent(text).replaceAll(/%../g, (found) => found.toLowerCase()),
  form: (text) => new URLSearchParams({ v: text }).toString().slice(2),
  JSON: (text) => JSON.stringify(text),
  'JSON in JSON': (text) => JSON.stringify(JSON.stringify(text)),
  'percent everything': (text) =>
    [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
};

test.each(Object.entries(encodings))('a secret is found as %s', (_name, encode) => {
  const redactor = createRedactor(secrets);
  expect(redactor.text(`before ${encode(value)} after`)).toContain('[secret TOKEN]');
});

test('base64 is found at every alignment, with anything around it inside the same encoding', () => {
  const redactor = createRedactor(secrets);
  for (const kind of ['base64', 'base64url'] as const) {
    for (let before = 0; before < 7; before += 1) {
      for (let after = 0; after < 4; after += 1) {
        const text = Buffer.from(`${'x'.repeat(before)}${value}${'y'.repeat(after)}`).toString(kind);
        const shown = redactor.text(text);
        expect(shown).toContain('[secret TOKEN]');
        // At most the characters that a neighbour shares may be left: less than one byte on either side.
        const rest = Buffer.from(shown.replace('[secret TOKEN]', ''), 'base64').toString('latin1');
        expect(rest.length).toBeLessThanOrEqual(before + after + 2);
      }
    }
  }
});

test('of any secret no encoding gets through, in values and keys at any depth', () => {
  fc.assert(
    fc.property(
      fc
        .string({ minLength: 12, maxLength: 60, unit: 'grapheme' })
        .filter((text) => !text.includes('secret')),
      fc.constantFrom(...Object.values(encodings)),
      fc.string({ maxLength: 10 }),
      (secret, encode, around) => {
        const carried = encode(secret);
        const shown = redact({ a: [{ [`k${carried}`]: `${around}${carried}${around}` }] }, [
          { name: 'S', value: secret },
        ]);
        const bare = carried.replaceAll(/^"|"$|=+$/g, '');
        expect(Object.keys((shown as { a: object[] }).a[0]!).join('')).toContain('[secret S]');
        expect(JSON.stringify(Object.values((shown as { a: object[] }).a[0]!))).not.toContain(
          JSON.stringify(bare).slice(1, -1),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('a stream shows the same as the whole text, wherever it is cut, and holds back no more than it must', () => {
  const some = [
    ...secrets,
    { name: 'OTHER', value: 'aaaaaaab' },
    { name: 'LONGER', value: 'aaaaaaabbbbbbbb' },
  ];
  const redactor = createRedactor(some);
  const parts = fc.oneof(
    fc.constantFrom(
      value,
      'aaaaaaab',
      'aaaaaaabbbbbbbb',
      'aaaaaaa',
      ...Object.values(encodings).map((e) => e(value)),
    ),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(
      fc.array(parts, { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 12 }),
      (texts, cuts) => {
        const whole = texts.join('');
        const stream = redactor.stream();
        const at = [...new Set(cuts.filter((cut) => cut < whole.length))].sort((a, b) => a - b);
        let shown = '';
        let from = 0;
        for (const to of [...at, whole.length]) {
          shown += stream.push(whole.slice(from, to));
          from = to;
        }
        shown += stream.end();
        expect(shown).toBe(redactor.text(whole));
      },
    ),
    { numRuns: 500 },
  );
  const stream = redactor.stream();
  expect(stream.push('nothing to hide\n')).toBe('nothing to hide\n');
});

test('each line of a key file is a secret too, its frame is not', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAAo\n-----END KEY-----\n';
  const redactor = createRedactor([{ name: 'KEY', value: key }]);
  expect(redactor.text('  BAQEFAASCBKcwggSjAgEAAo')).toBe('  [secret KEY]');
  expect(redactor.text('-----BEGIN KEY-----')).toBe('-----BEGIN KEY-----');
});

test('values too short to be secrets are left alone; other text is never changed', () => {
  expect(redact('a no in none', [{ name: 'N', value: 'no'.padEnd(shortestSecret - 1, 'n') }])).toBe(
    'a no in none',
  );
  const text = { n: 1, b: true, none: null, list: ['x'] };
  expect(redact(text, secrets)).toEqual(text);
  expect(redact({ a: value }, [value])).toEqual({ a: '[secret]' });
});

test('bytes of any kind pass unchanged, and a secret in them is found wherever they are cut', () => {
  const redactor = createRedactor(secrets);
  const noise = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const whole = Buffer.concat([
    noise,
    Buffer.from(value),
    noise,
    Buffer.from(encodings['base64']!(value)),
    noise,
  ]);
  for (const size of [1, 2, 7, 64, whole.length]) {
    const stream = redactor.bytes();
    const shown: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += size) shown.push(stream.push(whole.subarray(at, at + size)));
    shown.push(stream.end());
    const mark = Buffer.from('[secret TOKEN]');
    const text = Buffer.concat(shown)
      .toString('latin1')
      .replaceAll(/\[secret TOKEN\](?:=|[A-Za-z0-9+/]=)?/g, '|');
    expect(text.split('|')).toEqual(
      [1, 2, 3]
        .map(() => noise.toString('latin1'))
        .join('|')
        .split('|'),
    );
    expect(Buffer.concat(shown).indexOf(mark)).toBe(noise.length);
  }
});
