import { expect, test } from 'vitest';
import { createRedactor } from '../secrets/redactor.ts';
import { liveRedaction } from './live-redaction.ts';

const redactor = createRedactor([{ name: 'TOKEN', value: 'tok-1234567890' }]);

test('a secret that a model says in pieces is not shown in pieces, whatever other calls say meanwhile', () => {
  const show = liveRedaction((value) => redactor.value(value), redactor);
  const said: Record<string, string> = { a: '', b: '' };
  const pieces = ['the key is to', 'k-12345', '67', '890', ', and that', ' is all'];
  for (const text of pieces) {
    for (const callId of ['a', 'b']) {
      const frame = show({ kind: 'text', callId, text });
      expect(JSON.stringify(frame)).not.toContain('1234');
      said[callId] += frame?.text ?? '';
    }
  }
  expect(said).toEqual({
    a: 'the key is [secret TOKEN], and that is all',
    b: 'the key is [secret TOKEN], and that is all',
  });
});

test('output is looked at once more', () => {
  const show = liveRedaction((value) => redactor.value(value), redactor);
  expect(show({ kind: 'output', callId: 'a', stream: 'stdout', text: 'x tok-1234567890 y' })).toMatchObject({
    text: 'x [secret TOKEN] y',
  });
});
