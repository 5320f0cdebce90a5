/** A moment as clocks in a zone show it, with the offset they had: `2026-03-29 03:30 GMT+02:00`. Pure. */
export function zonedTime(atMs: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'longOffset',
  }).formatToParts(atMs);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? '';
  const time = `${of('year')}-${of('month')}-${of('day')} ${of('hour')}:${of('minute')}`;
  return `${time} ${of('timeZoneName')}`;
}
