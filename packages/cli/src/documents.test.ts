import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { asCalled } from './called-as.ts';
import { examplePaths, examplesOf } from './help-examples.ts';
import { processIo } from './process-io.ts';
import { createProgram } from './program.ts';
import { loadServer } from './server-module.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');
const program = createProgram(processIo(loadServer), () => undefined);
const everywhere = new Set(['--help', '-h', '--version', '-V']);

/** What is wrong with the command that a line shows, if it shows one; null: nothing. */
function problemIn(line: string): string | null {
  const bare = line.replace(/(^|\s)#\s.*$/, '').replaceAll(/"[^"]*"|'[^']*'/g, 'text');
  const words = bare.split(/[\s[\]|;<>)]+/).filter((word) => word !== '');
  let command: Command = program;
  let isPath = true;
  for (const word of words) {
    if (word.startsWith('-') && word !== '-' && word !== '--') {
      isPath = false;
      const flag = word.replace(/=.*$/, '');
      // A group without a word is its list, or what it shows.
      const silent = command.commands.find((one) => ['list', 'show'].includes(one.name())) ?? command;
      const known = [command, silent, program].some((one) =>
        one.options.some(({ long, short }) => flag === long || flag === short),
      );
      if (!known && !everywhere.has(flag)) return `${command.name()} has no ${flag}`;
      continue;
    }
    if (!isPath) continue;
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined && command === program && word !== '…') return `there is no berth ${word}`;
    isPath = next !== undefined && next.commands.length > 0;
    command = next ?? command;
  }
  return null;
}

/** Commands in a document: in backticks, and at the beginning of lines of code. */
function commandsIn(text: string): string[] {
  const spans = [...text.matchAll(/`(?:\.\/)?berth ([^`\n]+)`/g)];
  const lines = [...text.matchAll(/^(?: {2,}|\$ |[A-Z_]+=\S+ )*(?:\.\/)?berth ([a-z-][^\n]*)$/gm)];
  return [...spans, ...lines].map(([, command = '']) => command.split(' {2,}')[0]!.split(/ {3,}/)[0]!);
}

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe('every command in a document exists, with its flags', () => {
  test.each(documents)('%s', (name) => {
    const problems = commandsIn(readFileSync(join(root, name), 'utf8')).flatMap((command) => {
      const problem = problemIn(command);
      return problem === null ? [] : [`${problem}: berth ${command}`];
    });
    expect(problems).toEqual([]);
  });
});

test('every document is in the index, and every link between documents leads to a file and a heading', () => {
  const index = readFileSync(join(root, 'docs', 'README.md'), 'utf8');
  for (const name of documents.filter((one) => one.startsWith('docs/') && one !== 'docs/README.md'))
    expect(index).toContain(`](${name.slice('docs/'.length)})`);
  const anchors = (file: string): string[] =>
    [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
  for (const name of documents) {
    for (const [, target = ''] of readFileSync(join(root, name), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(root, name) : resolve(root, name, '..', path);
      expect(() => readFileSync(file), `${name} links to ${target}`).not.toThrow();
      if (anchor !== undefined) expect(anchors(file), `${name} links to ${target}`).toContain(anchor);
    }
  }
});

test('every example beneath --help is a command with flags it has', () => {
  expect(examplePaths.filter((path) => problemIn(path) !== null)).toEqual([]);
  for (const path of examplePaths) {
    for (const [, command = ''] of examplesOf(path)
      .join('\n')
      .matchAll(/^(?:\S+=\S+ )?berth (.*)$/gm))
      expect([command, problemIn(command)]).toEqual([command, null]);
  }
});

test('berth --help names every visible command, on one screen of 80 columns', () => {
  const help = program.helpInformation();
  for (const command of program.createHelp().visibleCommands(program))
    expect(help).toMatch(new RegExp(`(?:^ {2}|, |berth )${command.name()}\\b`, 'm'));
  const lines = help.split('\n');
  expect(lines.length).toBeLessThan(45);
  expect(lines.filter((line) => line.length > 82)).toEqual([]);
});

test('help is about the command as it was called', () => {
  expect(asCalled(program.helpInformation(), { BERTH_CALLED_AS: './berth' })).not.toMatch(/(^|[ `])berth /m);
});

test('the completion of bash knows groups, their commands, flags and those of all commands', () => {
  const berth = join(root, 'berth');
  const complete = (...words: string[]): string[] => {
    const script =
      `eval "$('${berth}' completion bash)"; berth() { echo r-one; }; ` +
      `COMP_WORDS=(berth "$@"); COMP_CWORD=$#; _berth; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.trim().split('\n');
  };
  expect(complete('tok')).toEqual(['tokens']);
  expect(complete('tokens', 'cr')).toEqual(['create']);
  expect(complete('tokens', 'create', '--serv')).toEqual(['--service-account', '--server']);
  expect(complete('runs', 'retry', '--new')).toEqual(['--newest-base']);
  expect(complete('fork', 'r-')).toEqual(['r-one']);
  expect(complete('runs', 'terminal', 'r-')).toEqual(['r-one']);
});
