import { expect, test } from 'vitest';
import { asCalled } from './called-as.ts';

test('commands in hints are named as they were called', () => {
  const env = { BERTH_CALLED_AS: './berth' };
  for (const [before, after] of [
    ['Go on: `berth resume r-1`', 'Go on: `./berth resume r-1`'],
    ['`berth logs -f` · `berth cancel`', '`./berth logs -f` · `./berth cancel`'],
    ['  berth run "x"\n  git log | berth run -', '  ./berth run "x"\n  git log | ./berth run -'],
    ['More: berth runs --cursor c', 'More: ./berth runs --cursor c'],
    ['Usage: berth [options]', 'Usage: ./berth [options]'],
  ] as const) {
    expect(asCalled(before, env)).toBe(after);
  }
});

test('other words, and names that are no plain path, stay as they are', () => {
  expect(asCalled('/home/berth is Berth, and berth_token is none', { BERTH_CALLED_AS: './berth' })).toBe(
    '/home/berth is Berth, and berth_token is none',
  );
  for (const name of [undefined, '', 'berth', './my berth', '$(x)']) {
    expect(asCalled('`berth runs`', { BERTH_CALLED_AS: name })).toBe('`berth runs`');
  }
});
