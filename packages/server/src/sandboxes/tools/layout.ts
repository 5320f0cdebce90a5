/** Where the tools directory is mounted, and what lies where in it. Programs are bound to these paths (`elf.ts`). */
export const insideTools = '/opt/berth';

export const toolPaths = {
  /** Last on PATH: what an image brings itself wins. */
  bin: `${insideTools}/bin`,
  node: `${insideTools}/bin/node`,
  /** For the supervisor of the runner and for wrappers; no image's own shell has to be there. */
  shell: `${insideTools}/libexec/sh`,
  runner: `${insideTools}/runner/runner.mjs`,
  sandboxd: `${insideTools}/runner/sandboxd.mjs`,
} as const;
