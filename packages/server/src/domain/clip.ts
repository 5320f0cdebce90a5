/** `text` cut so that its JSON has at most `most` bytes, with an ellipsis where something is left out. */
export function clipBytes(text: string, most: number): string {
  if (jsonBytes(text) <= most) return text;
  let kept = '';
  let bytes = 3;
  for (const character of text) {
    bytes += jsonBytes(character);
    if (bytes > most) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Bytes of a text in JSON, without its quotes. */
function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
