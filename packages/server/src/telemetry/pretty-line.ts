/** One JSON line of the log as a line for people: `12:04:31 info  ready parts=api,worker`. */
export function prettyLine(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${factText(value)}`);
  return `${clockText(time)} ${String(level).padEnd(5)} ${String(msg)}${facts.join('')}\n`;
}

function clockText(time: unknown): string {
  return typeof time === 'string' ? time.slice(11, 19) : '--:--:--';
}

function factText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) {
    const code = 'code' in value ? `${String(value.code)}: ` : '';
    return JSON.stringify(code + String(value.message));
  }
  return typeof value === 'string' && /^[\w:./-]+$/.test(value) ? value : JSON.stringify(value);
}
