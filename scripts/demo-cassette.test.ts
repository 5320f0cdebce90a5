import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { demoCassette, demoCassettePath } from './demo-cassette.ts';

test('the demo plays the cassette that its script makes (npm run generate mends it)', () => {
  expect(readFileSync(demoCassettePath, 'utf8')).toBe(demoCassette());
});
