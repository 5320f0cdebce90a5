import { expect, test } from 'vitest';
import { importDecision, noFile, type ImportDecision } from './import-decision.ts';

const rows: [string, Parameters<typeof importDecision>[0], ImportDecision][] = [
  ['the first file of all', { mine: 'a', knownHere: null, imported: null, heldElsewhere: false }, 'import'],
  ['the same as another replica', { mine: 'a', knownHere: null, imported: 'a', heldElsewhere: true }, 'same'],
  ['a changed file', { mine: 'b', knownHere: 'a', imported: 'a', heldElsewhere: true }, 'import'],
  [
    'an old replica beside a newer file',
    { mine: 'a', knownHere: 'a', imported: 'b', heldElsewhere: true },
    'differs',
  ],
  ['the last to hold any file', { mine: 'a', knownHere: 'a', imported: 'b', heldElsewhere: false }, 'import'],
  [
    'a new replica with another file',
    { mine: 'b', knownHere: null, imported: 'a', heldElsewhere: true },
    'import',
  ],
  [
    'a replica that never had a file',
    { mine: noFile, knownHere: null, imported: 'a', heldElsewhere: false },
    'nothing',
  ],
  [
    'a file that was taken away',
    { mine: noFile, knownHere: 'a', imported: 'a', heldElsewhere: false },
    'import',
  ],
  [
    'an old file that was taken away',
    { mine: noFile, knownHere: 'a', imported: 'b', heldElsewhere: true },
    'nothing',
  ],
  ['no file anywhere', { mine: noFile, knownHere: null, imported: null, heldElsewhere: false }, 'nothing'],
];

test.each(rows)('%s', (_, facts, decision) => {
  expect(importDecision(facts)).toBe(decision);
});
