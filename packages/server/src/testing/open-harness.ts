import { afterEach } from 'vitest';
import { AgentHarness } from './agent-harness.ts';
import type { HarnessOptions } from './agent-harness.ts';

/** Harnesses for the tests of one file, closed after each test. */
export function harnesses(): (options?: HarnessOptions) => AgentHarness {
  const open: AgentHarness[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map(async (one) => await one.close()));
  });
  return (options) => {
    const made = new AgentHarness(options);
    open.push(made);
    return made;
  };
}
