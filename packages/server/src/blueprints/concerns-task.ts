/** Words of a task that is about something being red. */
const aboutFailing =
  /\b(?:fail\w*|flak\w*|broken|breaks?|green|regress\w*|(?:pass|passes|passing)|ci)\b|\bfix\w*\s+(?:\S+\s+){0,3}(?:tests?|suite|build|lint\w*|checks?|types?|format\w*)\b/i;

/** Words that stand in test names and tasks alike and say nothing. */
const common = new Set(
  [
    'test tests spec specs suite should returns return with when then that this from into have has does file files',
    'error errors type types value values function class module package node pytest vitest jest unittest eslint',
    'line lines code make makes given works work expect expected assert index main true false null undefined',
    'command exit output found cannot name names call calls example repository workspace repo local string number',
  ]
    .join(' ')
    .split(' '),
);

/** Longest text that is compared; a task's request stands in its beginning. */
const maxCharacters = 20_000;

/**
 * Whether failing items may be the very thing a task asks to mend. Then that they failed before the agent began
 * excuses nothing: an agent that is asked to mend a test and leaves it failing has not done its task. In doubt
 * the answer is yes. Pure.
 */
export function concernsTask(task: string, items: readonly string[]): boolean {
  if (aboutFailing.test(task.slice(0, maxCharacters))) return true;
  const asked = wordsOf(task);
  return items.slice(0, 200).some((item) => [...wordsOf(item)].some((word) => asked.has(word)));
}

/** The telling words of a text: parts of camelCase and paths, lower-case, without their endings. */
function wordsOf(text: string): Set<string> {
  const words = text
    .slice(0, maxCharacters)
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word.length >= 4 && !common.has(word));
  return new Set(
    words.map((word) => word.replace(/(?:ing|ers|er|ed|es|s)$/, '')).filter((word) => word.length >= 3),
  );
}
