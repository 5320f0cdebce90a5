import { z } from 'zod';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import type { ToolSpec } from '../domain/ports/model.ts';
import type { Redactor } from '../domain/ports/redaction.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';

/** What a file-changing call is about to do, as `tool.planned` holds it. */
export interface FilePlan {
  readonly path: string;
  /** Null: there was no file. */
  readonly beforeSha256: string | null;
  readonly afterSha256: string;
}

/** What one call of a tool gets. */
export interface ToolContext {
  /** The call's id: unique in its run, the id of its exec, and the same after a crash. */
  readonly id: string;
  readonly sandbox: Sandbox;
  /** `/workspace/repo`: relative paths start here. */
  readonly repositoryPath: string;
  readonly blobs: Blobs;
  /** Output passes it before it is stored or shown; left out: there is nothing to hide. */
  readonly redaction?: Redactor | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For output on its way to viewers. */
  readonly events: Pick<EventSink, 'live'>;
  /** The plan that an earlier life of the worker recorded for this very call; null on the first try. */
  readonly earlierPlan: FilePlan | null;
  /** Records what is about to change; durable once resolved, so that recovery can tell done from not done. */
  plan(plan: FilePlan): Promise<void>;
  /** The blob with the whole output of an earlier call of this run, or null. */
  fullOutputOf(callId: string): string | null;
}

/** What became of a call. Failures are results for the model to read, never exceptions of the run. */
export interface ToolResult {
  /** What the model sees. */
  readonly text: string;
  readonly isError: boolean;
  /** One line for people. */
  readonly summary: string;
  /** Blob of the whole output when `text` is an extract. */
  readonly full?: string;
  readonly exitCode?: number | null;
  /** True when it is unknown whether it finished (its process or its sandbox was lost). */
  readonly interrupted?: boolean;
  /** Execs whose journal may go once the result is stored. */
  readonly forget?: readonly string[];
}

/** Something the agent may call. */
export interface Tool {
  readonly spec: ToolSpec;
  /** `reads` changes nothing: several of them may run at the same time. `control` needs no sandbox. */
  readonly kind: 'reads' | 'acts' | 'control';
  /** The input checked, or the sentences that say what is wrong with it. */
  parse(
    input: unknown,
  ): { readonly ok: true; readonly input: unknown } | { readonly ok: false; readonly problem: string };
  /** Files and directories it works on, for rules files of their directories. `input` has passed `parse`. */
  paths(input: unknown): readonly string[];
  /** @throws only `SANDBOX_LOST`, the signal's reason, and what makes the run itself end. */
  run(input: unknown, context: ToolContext): Promise<ToolResult>;
}

/** Declares a tool: one schema gives the model's JSON Schema, the check and the type of the input. */
export function defineTool<Schema extends z.ZodType>(definition: {
  readonly name: string;
  readonly description: string;
  readonly kind: Tool['kind'];
  readonly input: Schema;
  readonly paths?: (input: z.infer<Schema>) => readonly string[];
  readonly run: (input: z.infer<Schema>, context: ToolContext) => Promise<ToolResult>;
}): Tool {
  const { $schema: _, ...inputSchema } = z.toJSONSchema(definition.input, { io: 'input' });
  return {
    spec: { name: definition.name, description: definition.description, inputSchema },
    kind: definition.kind,
    parse(input) {
      const parsed = definition.input.safeParse(input);
      if (parsed.success) return { ok: true, input: parsed.data };
      const problems = parsed.error.issues.map((issue) =>
        issue.path.length === 0 ? issue.message : `${issue.path.map(String).join('.')}: ${issue.message}`,
      );
      return { ok: false, problem: problems.join('; ') };
    },
    paths: (input) => definition.paths?.(input as z.infer<Schema>) ?? [],
    run: async (input, context) => await definition.run(input as z.infer<Schema>, context),
  };
}

export function failure(text: string, summary: string): ToolResult {
  return { text, isError: true, summary };
}
