/** `3.1s`, `21s`, `2:02`, `1:02:03`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  if (seconds < 59.5) return `${Math.round(seconds)}s`;
  return clock(ms);
}

/** `0:09`, `2:41`, `1:02:03`. */
export function clock(ms: number): string {
  const whole = Math.floor(Math.max(0, ms) / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3_600);
  const minutes = Math.floor((whole % 3_600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** In words for sentences: `9 s`, `1 min 12 s`, `2 h 5 min`, `3 d`. */
export function spell(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d`;
}

/** One unit, for lists: `9 s ago`, `12 min ago`, `3 h ago`, `2 d ago`. */
export function ago(at: string, nowMs: number): string {
  const seconds = Math.floor(Math.max(0, nowMs - Date.parse(at)) / 1_000);
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export function money(usd: number): string {
  return `$${usd.toFixed(2)}`;
}

/** `950`, `118k`, `1.5M`. */
export function count(value: number): string {
  if (value < 1_000) return String(Math.round(value));
  if (value < 999_500) return `${Math.round(value / 1_000)}k`;
  return `${Number((value / 1_000_000).toFixed(1))}M`;
}

/** `0 B`, `312 B`, `24 MiB`, `1.5 GiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let amount = value;
  let unit = 0;
  while (amount >= 1_024 && unit < units.length - 1) {
    amount /= 1_024;
    unit += 1;
  }
  return `${amount < 10 && unit > 0 ? Number(amount.toFixed(1)) : Math.round(amount)} ${units[unit]}`;
}

/** Local wall time of an event, `12:04:02`. */
export function timeOfDay(at: string): string {
  return new Date(at).toTimeString().slice(0, 8);
}

/** `2026-11-21T12:05:07Z`: to the second, as logs are read. */
export function stamp(at: string): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
