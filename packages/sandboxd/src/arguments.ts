/** Reads `--name value` pairs. @throws Error for anything else, so that a misspelt option never passes silently */
export function readArguments<const N extends string>(
  argv: readonly string[],
  known: readonly N[],
): (name: N) => string | undefined {
  const values = new Map<string, string>();
  for (let index = 0; index < argv.length; index += 2) {
    const [option, value] = [argv[index]!, argv[index + 1]];
    const name = known.find((one) => `--${one}` === option);
    if (name === undefined || value === undefined) throw new Error(`unknown or incomplete option ${option}`);
    values.set(name, value);
  }
  return (name) => values.get(name);
}

/** The value of an option that must be there. */
export function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
}
