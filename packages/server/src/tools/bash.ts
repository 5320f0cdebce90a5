import { z } from 'zod';
import type { ExecResult } from '../domain/ports/sandbox.ts';
import { startBackground } from './background.ts';
import { execWithOutput } from './exec-output.ts';
import { foregroundScript, quietEnvironment } from './shell-script.ts';
import { defineTool, failure } from './tool.ts';
import type { ToolResult } from './tool.ts';

const defaultTimeoutSeconds = 120;
const maxTimeoutSeconds = 20 * 60;
/** Longer output than this is cut by the sandbox: a command that prints 1 GB must not fill the blob store. */
export const maxOutputBytes = 32 * 1024 * 1024;

const input = z.object({
  command: z.string().min(1).max(100_000).describe('Bash script to run.'),
  timeout_seconds: z
    .number()
    .positive()
    .max(maxTimeoutSeconds)
    .default(defaultTimeoutSeconds)
    .describe(
      `Ends the command after this time (default ${defaultTimeoutSeconds}, most ${maxTimeoutSeconds}).`,
    ),
  background: z
    .boolean()
    .default(false)
    .describe('For servers and watchers: answers at once; follow and end it with the output tool.'),
});

export const bash = defineTool({
  name: 'bash',
  description:
    'Runs a bash script in the sandbox and returns its output and exit code. Working directory and exported ' +
    'variables persist from call to call; it starts in the repository. Nothing can be typed into a command: pass ' +
    'flags such as -y, and no editors or pagers. Long output is shortened in the middle; the output tool reads the ' +
    'rest. To look at or change files, prefer read, search, edit and write.',
  kind: 'acts',
  input,
  run: async (call, context) => {
    if (call.background) return await startBackground(call.command, context);
    const outcome = await execWithOutput(
      {
        id: context.id,
        command: { argv: ['bash', '-c', foregroundScript, 'bash', call.command] },
        cwd: context.repositoryPath,
        env: quietEnvironment,
        timeoutMs: Math.round(call.timeout_seconds * 1000),
        maxOutputBytes,
        overflow: 'truncate',
      },
      context,
    );
    return describe(call.command, call.timeout_seconds, outcome, context.id);
  },
});

function describe(
  command: string,
  timeoutSeconds: number,
  outcome: { readonly result: ExecResult; readonly text: string; readonly full: string | null },
  id: string,
): ToolResult {
  const { result, text, full } = outcome;
  const shown = text.trim() === '' ? '(no output)' : text.trimEnd();
  const line = `$ ${oneLine(command)}`;
  const kept = { ...(full === null ? {} : { full }), forget: [id] };
  if (result.kind === 'lost') {
    const what = result.what === 'runner' ? 'the process that ran it' : 'the sandbox';
    return {
      ...failure(
        `Interrupted: ${what} was lost. Whether the command finished is unknown; look before you repeat it.\n${shown}`,
        `${line} interrupted`,
      ),
      ...kept,
      interrupted: true,
    };
  }
  const notes = [
    result.timedOut
      ? `Ended after ${timeoutSeconds} s (timeout_seconds). Use background for what keeps running.`
      : null,
    result.outOfMemory ? 'Ended by the memory limit of the sandbox.' : null,
    result.truncated ? `Output was cut after ${maxOutputBytes} bytes.` : null,
  ].filter((note) => note !== null);
  const status =
    result.exitCode === null ? `signal ${result.signal ?? 'unknown'}` : `exit ${result.exitCode}`;
  return {
    text: [shown, `[${status}]`, ...notes].join('\n'),
    isError: result.timedOut || result.outOfMemory,
    summary: `${line} ${result.timedOut ? 'timed out' : status}`,
    exitCode: result.exitCode,
    ...kept,
  };
}

export function oneLine(text: string, most = 80): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
