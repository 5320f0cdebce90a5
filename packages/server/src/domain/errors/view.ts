import { family } from './entry.ts';

/** Codes of reading tasks and runs, and of making a run from another. */
export const viewErrors = family({
  FILTER_INVALID: {
    sentence: 'The filter is not valid.',
    next: 'Write it like `status:failed code:LIMIT_COST project:web by:me age:<7d cost:>2 "words of the title"`.',
    retryable: false,
    http: 400,
    exit: 2,
  },
  CURSOR_INVALID: {
    sentence: 'The cursor is not one that this server gave out.',
    next: 'Begin again without a cursor.',
    retryable: false,
    http: 400,
    exit: 2,
  },
  RUN_ACTIVE: {
    sentence: 'A run of this task is active; a task has one at a time.',
    next: 'Wait for it, cancel it, or branch off: `berth fork`.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  TASK_CLOSED: {
    sentence: 'The pull request of this task is merged or closed.',
    next: 'Branch off (`berth fork`), or hand it in as a new task.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  CHECKPOINT_NONE: {
    sentence: 'The run has no checkpoint so early: its working tree was not saved yet.',
    next: 'Name a later seq; `berth logs -a` shows the checkpoints.',
    retryable: false,
    http: 404,
    exit: 8,
  },
  FILE_NOT_SHOWN: {
    sentence: 'That path is not a regular file, so its content is not shown.',
    next: 'List the files: GET /runs/{id}/files.',
    retryable: false,
    http: 409,
    exit: 9,
  },
  FILE_TOO_LARGE: {
    sentence: 'The file is larger than is shown.',
    next: 'Take the branch, or the whole checkpoint, and look there.',
    retryable: false,
    http: 413,
    exit: 9,
  },
});
