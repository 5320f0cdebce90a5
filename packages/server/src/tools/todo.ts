import { z } from 'zod';
import { defineTool } from './tool.ts';

export const todoSchema = z.object({
  items: z
    .array(
      z.object({
        text: z.string().min(1).max(500),
        state: z.enum(['open', 'doing', 'done']),
      }),
    )
    .max(50),
});
export type Todo = z.infer<typeof todoSchema>['items'];

/** Its state is the last accepted call in the log: the conversation's fold keeps it. */
export const todo = defineTool({
  name: 'todo',
  description:
    'Keeps your plan: pass the whole list each time. Worth it for tasks of several steps; it survives when older parts of the conversation are condensed.',
  kind: 'control',
  input: todoSchema,
  run: async (call) => {
    const count = (state: Todo[number]['state']) => call.items.filter((item) => item.state === state).length;
    const text = `Plan kept: ${count('done')} done, ${count('doing')} in hand, ${count('open')} open.`;
    return await Promise.resolve({
      text,
      isError: false,
      summary: `todo: ${count('done')}/${call.items.length} done`,
    });
  },
});
