import type { ToolContext, ToolResult } from './tool.ts';
import { cleanOutput } from './clean-text.ts';
import { backgroundScript, berthHome, quietEnvironment } from './shell-script.ts';

/** A server nobody stops must not live for ever; longer than any run's default time. */
const backgroundTimeoutMs = 4 * 60 * 60_000;
/** Long enough to see a command fail at once (port taken, name misspelt). */
const firstLookMs = 1000;

/** Starts a command that goes on after the answer. Its output lies in a file of the sandbox. */
export async function startBackground(command: string, context: ToolContext): Promise<ToolResult> {
  const watching = new AbortController();
  const signal = AbortSignal.any([context.signal, watching.signal]);
  const ended = context.sandbox.exec(
    {
      id: context.id,
      command: { argv: ['bash', '-c', backgroundScript, 'bash', command, context.id] },
      cwd: context.repositoryPath,
      env: quietEnvironment,
      timeoutMs: backgroundTimeoutMs,
      maxOutputBytes: 65_536,
      overflow: 'truncate',
    },
    { signal },
  );
  const looked = context.clock.sleep(firstLookMs, signal).then(() => 'running' as const);
  looked.catch(() => undefined);
  ended.catch(() => undefined);
  const first = await Promise.race([ended, looked]);
  watching.abort(new Error('The command goes on in the background.'));
  const name = `$ ${command.replaceAll(/\s+/g, ' ').slice(0, 80)} &`;
  if (first !== 'running' && first.kind === 'lost') {
    return {
      text: `Interrupted: the ${first.what} was lost while the command started.`,
      isError: true,
      summary: `${name} interrupted`,
      interrupted: true,
    };
  }
  const state = await backgroundState(context, context.id, 0);
  return {
    text:
      first === 'running'
        ? `Running in the background as ${context.id}. Read on with output {"call": "${context.id}", "offset": ${state.nextOffset}}; end it with "stop": true.\n${state.text}`
        : `It ended at once, exit ${first.exitCode ?? first.signal ?? 'unknown'}.\n${state.text}`,
    isError: false,
    summary: first === 'running' ? `${name} started` : `${name} ended at once`,
    ...(first === 'running' ? {} : { exitCode: first.exitCode }),
  };
}

/** Most of a background output shown at once. */
export const pageBytes = 8192;

/** The output of a background command from `offset` on, and whether it still runs; null when there is no such command. */
export async function backgroundState(
  context: ToolContext,
  id: string,
  offset: number,
): Promise<{ readonly text: string; readonly nextOffset: number; readonly status: string | null }> {
  const base = `${berthHome(context.repositoryPath)}/${id}`;
  const log = await context.sandbox.stat(`${base}.log`);
  if (log === null) return { text: '', nextOffset: 0, status: null };
  const bytes = await context.sandbox.read(`${base}.log`, {
    offset,
    length: pageBytes,
    signal: context.signal,
  });
  const exit = await context.sandbox.stat(`${base}.exit`);
  let status = 'running';
  if (exit !== null) {
    const code = new TextDecoder().decode(await context.sandbox.read(`${base}.exit`, { length: 16 }));
    status = `ended, exit ${cleanOutput(code)}`;
  } else {
    const calls = await context.sandbox.calls();
    if (!calls.some((call) => call.id === id && call.running)) status = 'stopped';
  }
  const left = log.bytes - offset - bytes.length;
  const more = left > 0 ? `\n[… ${left} bytes more from offset ${offset + bytes.length} …]` : '';
  return {
    text: cleanOutput(new TextDecoder().decode(bytes)) + more,
    nextOffset: offset + bytes.length,
    status,
  };
}
