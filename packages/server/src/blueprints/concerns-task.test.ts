import { expect, test } from 'vitest';
import { concernsTask } from './concerns-task.ts';

const items = ['vitest: test/date.test.ts > parses DST change'];

test.each([
  ['Make the tests pass', true],
  ['The suite is flaky on CI', true],
  ['Fix the failing build', true],
  ['Fix the two lint errors', true],
  ['Date parsing is off by one hour in March', true],
  ['parseDate loses an hour when DST begins', true],
  ['Add a --json flag to the list command', false],
  ['Fix a typo in the README', false],
  ['Add tests for the greeting', false],
])('%s: %s', (task, concerns) => {
  expect(concernsTask(task, items)).toBe(concerns);
});
