/** Where the tools directory is mounted, and what lies where in it. Programs are bound to these paths (`elf.ts`). */
export const insideTools = '/opt/berth';

/** All that lies directly in it, in its image too; `git` only where the machine that made it has git. */
export const toolEntries = ['bin', 'git', 'l', 'ld', 'own', 'runner'] as const;

export const toolPaths = {
  /** Last on PATH: what an image brings itself wins. */
  bin: `${insideTools}/bin`,
  /** Programs that Berth's own scripts take before the image's (`git/sandbox-script.ts`). */
  own: `${insideTools}/own`,
  node: `${insideTools}/bin/node`,
  /** For the supervisor of the runner and for wrappers; an image's own shell is for commands. */
  shell: `${insideTools}/own/sh`,
  runner: `${insideTools}/runner/runner.mjs`,
  sandboxd: `${insideTools}/runner/sandboxd.mjs`,
} as const;
