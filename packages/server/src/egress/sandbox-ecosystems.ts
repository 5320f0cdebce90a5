import {
  createEcosystems,
  type AskTool,
  type EcosystemSource,
  type FetchText,
  type LookAtFiles,
} from './ecosystems.ts';
import type { Ecosystem } from './matching-rules.ts';

/**
 * Runs a command in a sandbox and returns what it prints, or null when it fails. The sandbox has to be fresh: nothing
 * of a repository in it, no agent was ever there, and `cwd` is `/`, so that no project's own settings answer.
 */
export type AskSandbox = (argv: readonly string[], signal: AbortSignal) => Promise<string | null>;

/** Most that a setting's file or a tool's answer may have; what an image says is bounded like everything else. */
const maxAnswerLength = 200_000;
/** Sources of different images and policies that are kept; the oldest go first. */
const keptSources = 100;

/**
 * Where the ecosystems of a sandbox's image fetch from, asked of the tools in it. Answers are asked for once, all of
 * them before the caller lets anybody else in (`ask` is not called after `answers` is settled), and kept by image and
 * policy: what a run does to the settings later changes nothing. Loopback there is the sandbox's own: it is no way to
 * the worker.
 */
export function createSandboxEcosystems(options: { readonly fetchText: FetchText }) {
  const kept = new Map<string, Promise<EcosystemSource>>();
  return {
    /**
     * @param key Image digest and policy, as one text: the same key answers without asking.
     * @param home The account's directory in the sandbox.
     */
    async answers(
      key: string,
      wanted: readonly Ecosystem[],
      ask: AskSandbox,
      where: { readonly home: string; readonly signal: AbortSignal },
    ): Promise<EcosystemSource> {
      const known = kept.get(key);
      if (known !== undefined) return known;
      const asked = askAll(wanted, ask, options.fetchText, where);
      kept.set(key, asked);
      if (kept.size > keptSources) kept.delete(kept.keys().next().value!);
      // An answer that could not be had is asked for again by the next sandbox.
      asked.catch(() => kept.delete(key));
      return asked;
    },
  };
}

async function askAll(
  wanted: readonly Ecosystem[],
  ask: AskSandbox,
  fetchText: FetchText,
  { home, signal }: { readonly home: string; readonly signal: AbortSignal },
): Promise<EcosystemSource> {
  let isOver = false;
  /** Tools that are missing answer null; a sandbox that is gone is no answer at all. */
  let failure: { readonly error: unknown } | null = null;
  const run = async (argv: readonly string[]): Promise<string | null> => {
    if (isOver) return null;
    const text = await ask(argv, signal).catch((error: unknown) => {
      failure ??= { error };
      throw error;
    });
    return text === null ? null : text.slice(0, maxAnswerLength);
  };
  const tool: AskTool = (file, args) => run([file, ...args]);
  const look: LookAtFiles = {
    read: (path) => run(['cat', '--', path]),
    list: async (directory) => ((await run(['ls', '-1', '--', directory])) ?? '').split('\n').filter(Boolean),
  };
  // The worker's environment is none of the sandbox's.
  const source = createEcosystems({ ask: tool, look, home, fetchText, env: {} });
  const facts = new Map<Ecosystem, Awaited<ReturnType<EcosystemSource['facts']>>>();
  for (const ecosystem of wanted) {
    const { hosts, env } = await source.facts(ecosystem);
    const found = (await hosts()).map((at) => ({ ...at, insideSandbox: true as const }));
    facts.set(ecosystem, { hosts: () => Promise.resolve(found), env });
  }
  signal.throwIfAborted();
  const failed = failure as { readonly error: unknown } | null;
  if (failed !== null) throw failed.error;
  isOver = true;
  const none = { hosts: () => Promise.resolve([]), env: {} };
  return { facts: (ecosystem) => Promise.resolve(facts.get(ecosystem) ?? none) };
}
