import { bash } from './bash.ts';
import { edit } from './edit.ts';
import { finish } from './finish.ts';
import { list } from './list.ts';
import { output } from './output.ts';
import { read } from './read.ts';
import { search } from './search.ts';
import { todo } from './todo.ts';
import type { Tool } from './tool.ts';
import { write } from './write.ts';

/** Everything the built-in agent may call, in the order the model sees it (part of the cached prefix). */
export const builtinTools: readonly Tool[] = [read, search, list, edit, write, bash, output, todo, finish];

export { bash, edit, finish, list, output, read, search, todo, write };
