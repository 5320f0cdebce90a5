import { expect, test } from 'vitest';
import type { EgressFor } from '../domain/config/index.ts';
import type { EgressRule } from '../domain/egress.ts';
import type { DurableCommand } from '../domain/ports/run-context.ts';
import { commandRules, stepEgress } from './step-egress.ts';

const open = (host: string): EgressRule => ({ host, ports: [443] });
const given: EgressFor = {
  setup: [open('setup')],
  agent: [open('agent')],
  check: [open('check')],
  verify: [open('verify')],
};
const nothing: EgressFor = { setup: [], agent: [], check: [], verify: [] };
const command = (purpose: DurableCommand['purpose'], ...egress: string[]): DurableCommand => ({
  id: 'c',
  step: '0:x',
  purpose,
  name: 'c',
  command: {
    run: 'true',
    cwd: '.',
    env: {},
    timeoutMinutes: 1,
    egress: egress.map((host) => ({ host, ports: [443] })),
  },
});
const hosts = (rules: readonly EgressRule[]) => rules.map((rule) => ('host' in rule ? rule.host : ''));

test('a command has its own rules and those that the configuration gives to its step', () => {
  const of = (purpose: 'work' | 'verify' | 'baseline', what: DurableCommand['purpose']) =>
    hosts(commandRules(purpose, command(what, 'own'), given));
  expect(of('work', 'setup')).toEqual(['own', 'setup']);
  expect(of('verify', 'setup')).toEqual(['own', 'setup']);
  expect(of('work', 'test')).toEqual(['own', 'check']);
  expect(of('work', 'fix')).toEqual(['own', 'check']);
  expect(of('verify', 'test')).toEqual(['own', 'verify']);
  expect(of('baseline', 'test')).toEqual(['own', 'check', 'verify']);
  expect(of('work', 'other')).toEqual(['own']);
  expect(hosts(commandRules('work', command('test'), nothing))).toEqual([]);
});

/** The policies that were put, by sandbox. */
function world(start: EgressFor) {
  let current = start;
  const now = new Map<string, string[]>();
  const egress = stepEgress(
    () => current,
    (purpose, policy) => now.set(purpose, hosts(policy.rules)),
  );
  return {
    egress,
    now: (purpose = 'work') => now.get(purpose) ?? [],
    configure: (next: EgressFor) => {
      current = next;
      egress.refresh();
    },
  };
}

test('the agent has its rules while it works, between and after commands, and nobody has them later', async () => {
  const { egress, now } = world(given);
  egress.forCommand('work', command('setup', 'own'));
  expect(now()).toEqual(['own', 'setup']);
  egress.rest('work');
  expect(now()).toEqual([]);
  await egress.duringAgent(async () => {
    expect(now()).toEqual(['agent']);
    // A sandbox that was lost is set up anew meanwhile.
    egress.forCommand('work', command('setup'));
    expect(now()).toEqual(['setup']);
    egress.rest('work');
    expect(now()).toEqual(['agent']);
    egress.forCommand('verify', command('test'));
    expect(now('verify')).toEqual(['verify']);
    egress.rest('verify');
    expect(now('verify')).toEqual([]);
  });
  expect(now()).toEqual([]);
  const failed = egress.duringAgent(() => Promise.reject(new Error('ended')));
  await expect(failed).rejects.toThrow('ended');
  expect(now()).toEqual([]);
});

test('what the configuration takes back is closed at once, in a command and while the agent works', async () => {
  const { egress, now, configure } = world(given);
  egress.forCommand('work', command('test', 'own'));
  configure(nothing);
  expect(now()).toEqual(['own']);
  egress.rest('work');
  configure(given);
  expect(now()).toEqual([]);
  await egress.duringAgent(async () => {
    expect(now()).toEqual(['agent']);
    configure(nothing);
    expect(now()).toEqual([]);
    await Promise.resolve();
  });
});
