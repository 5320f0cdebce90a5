import { expect, test } from 'vitest';
import { paintFor } from '../output/style.ts';
import { textWidth } from '../output/text-width.ts';
import { sampleEvent } from '../testing/event-samples.ts';
import { Receipts } from './receipts.ts';

const plain = paintFor({ isColour: false });
const received = sampleEvent('message.received', { messageId: 'm-1', text: 'x' }, { seq: 187 });
const told = sampleEvent('agent.told', { messageId: 'm-1', kind: 'message' }, { seq: 188 });

test('a message is sent, delivered, and seen by the model', () => {
  const receipts = new Receipts();
  const line = (): string | undefined => receipts.lines(1_000, 100, false, plain)[0]?.slice(14);
  const sent = receipts.add('keep the public API', 'now', 0);
  expect(line()).toBe('"keep the public API"  sending');
  sent.answered('m-1');
  expect(line()).toBe('"keep the public API"  sent');
  receipts.event(received, 500);
  expect(line()).toBe('"keep the public API"  sent ✔ delivered');
  receipts.event(told, 900);
  expect(line()).toBe('"keep the public API"  sent ✔ delivered ✔ seen by model (#188)');
  expect(receipts.lines(30_000, 100, false, plain)).toEqual([]);
});

test('the log may be quicker than the answer', () => {
  const receipts = new Receipts();
  const sent = receipts.add('x', 'after_step', 0);
  receipts.event(received, 10);
  sent.answered('m-1');
  expect(receipts.lines(20, 100, true, plain)[0]).toMatch(/"x" {2}sent, delivered, read after this step$/);
});

test('a message that was refused says so; none is wider than the terminal', () => {
  const receipts = new Receipts();
  receipts.add('日本'.repeat(100), 'now', 0).failed('The run is over.\u001b[2J');
  for (const columns of [20, 40, 80]) {
    for (const line of receipts.lines(1, columns, false, plain))
      expect(textWidth(line)).toBeLessThan(columns);
  }
  expect(receipts.lines(1, 80, false, plain)[0]).toContain('NOT sent: The run is over.');
});
