import { expect, test } from 'vitest';
import { parseConfig, problemLines } from './index.ts';

function problems(text: string): string[] {
  const parsed = parseConfig(`version: 1\n${text}`, { env: {} });
  return parsed.ok ? [] : problemLines('b.yaml', parsed.problems);
}
const token = 'token: "${env:TOKEN}"';

test('a forge that is there and built is taken', () => {
  const text = `forges: [{ name: hub, kind: github, ${token} }]
projects: [{ name: web, repository: "https://github.com/acme/web", forge: hub }]`;
  expect(problems(text)).toEqual([]);
});

test.each(['gitlab', 'gitea', 'bitbucket'])('%s is refused: there is no adapter yet', (kind) => {
  const [line] = problems(
    `forges: [{ name: lab, kind: ${kind}, url: "https://code.example.com", ${token} }]`,
  );
  expect(line).toContain(`b.yaml:2:`);
  expect(line).toContain(`lab is of the kind ${kind}, which this version of Berth has no adapter for`);
});

test('a project that names a forge which is not there, or not its own, is refused', () => {
  const text = `forges: [{ name: hub, kind: github, ${token} }]
projects:
  - { name: web, repository: "https://github.com/acme/web", forge: hob }
  - { name: api, repository: "https://github.com.example.org/acme/api", forge: hub }`;
  expect(problems(text)).toEqual([
    expect.stringContaining('There is no code host hob in the configuration (there are: hub)') as string,
    expect.stringContaining('is not on hub (https://github.com) (there are: hub)') as string,
  ]);
});

test('plain HTTP to another machine, credentials and queries in its address are refused', () => {
  const at = (url: string) =>
    problems(`forges: [{ name: hub, kind: github, url: "${url}", ${token} }]`).join();
  expect(at('http://github.example.com')).toContain('https:// is needed');
  expect(at('https://user:very-secret@github.example.com')).toContain('without credentials');
  expect(at('https://user:very-secret@github.example.com')).not.toContain('very-secret');
  expect(at('https://github.example.com/?a=b')).toContain('without ? and #');
  expect(at('http://127.0.0.1:3000')).toBe('');
});
